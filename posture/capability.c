#include "posture/capability.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

_Static_assert(ARRAY_LEN(names) == 41, "bits 0 to 40 have a name");

const char *capability_name(unsigned bit)
{
    return bit < ARRAY_LEN(names) ? names[bit] : NULL;
}

int capability_bit(const char *name)
{
    for (unsigned bit = 0; bit < ARRAY_LEN(names); bit++) {
        if (strcasecmp(name, names[bit]) == 0 ||
            strcasecmp(name, names[bit] + strlen("CAP_")) == 0)
            return (int)bit;
    }
    return -1;
}

void capability_add_set(struct text *t, uint64_t set)
{
    const char *comma = "";

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = capability_name(bit);

        if ((set >> bit & 1) == 0)
            continue;
        text_add_str(t, comma);
        if (name != NULL) {
            text_addf(t, "%s (bit %u)", name, bit);
        } else {
            text_addf(t, "bit %u", bit);
        }
        comma = ", ";
    }
}
