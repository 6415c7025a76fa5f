#include "posture/group_file.h"

#include <string.h>

#include "base/num.h"

/* What membership gives: the host's disks, memory, password hashes or logs,
 * or root by way of a daemon. */
static const char *const privileged[] = {"docker", "podman", "lxd", "incus",
    "libvirt", "kvm", "disk", "kmem", "shadow", "adm", "sudo", "wheel",
    "systemd-journal"};

static const struct {
    uint32_t gid;
    const char *name;
} fixed[] = {
    {4, "adm"}, {6, "disk"}, {15, "kmem"}, {27, "sudo"}, {42, "shadow"}};

static struct span name_in_file(struct span file, uint32_t gid)
{
    while (file.len > 0) {
        struct span line = span_take_until(&file, '\n');
        struct span name = span_take_until(&line, ':');
        uint64_t number = 0;

        (void)span_take_until(&line, ':'); /* the password */
        if (num_parse_u64(span_take_until(&line, ':'), UINT32_MAX, &number) &&
            number == gid)
            return name;
    }
    return span_of(NULL, 0);
}

struct span group_file_privileged(struct span file, uint32_t gid)
{
    struct span name = name_in_file(file, gid);

    for (size_t i = 0; i < ARRAY_LEN(privileged); i++) {
        if (span_eq(name, span_str(privileged[i])))
            return name;
    }
    /* The file may be that of a minimal image, and say nothing. */
    for (size_t i = 0; i < ARRAY_LEN(fixed) && name.len == 0; i++) {
        if (fixed[i].gid == gid)
            return span_str(fixed[i].name);
    }
    return span_of(NULL, 0);
}
