#include "posture/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "posture/proc_status.h"
#include "posture/uid_map.h"

/* Read a small file of /proc whole; the length, or -errno. */
static ssize_t read_file(const char *path, char *buf, size_t cap)
{
    CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;

    if (fd < 0)
        return -errno;
    while (len < cap) {
        ssize_t got = read(fd, buf + len, cap - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* setfsuid(2) has no way to ask: an invalid id changes nothing and the old
 * one is returned. */
static uint32_t filesystem_uid(void)
{
    return (uint32_t)setfsuid((uid_t)-1);
}

static void collect_ids(const struct proc_status *status, struct fact_ids *ret)
{
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;

    if (getresuid(&real, &effective, &saved) < 0) {
        ret->error = errno;
        return;
    }
    *ret = (struct fact_ids){
        .known = true,
        .real = real,
        .effective = effective,
        .saved = saved,
        .filesystem = filesystem_uid(),
    };
    ret->contradicted =
        status->uid_known &&
        (status->uid[0] != ret->real || status->uid[1] != ret->effective ||
            status->uid[2] != ret->saved || status->uid[3] != ret->filesystem);
}

static uint64_t ambient_set(void)
{
    uint64_t set = 0;

    for (unsigned long bit = 0; bit < 64; bit++) {
        int held = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, bit, 0, 0);

        if (held < 0)
            break; /* past the last capability of this kernel */
        if (held == 1)
            set |= UINT64_C(1) << bit;
    }
    return set;
}

static bool differs(
    const struct proc_status *status, enum proc_status_set set, uint64_t asked)
{
    return status->cap_known[set] && status->cap[set] != asked;
}

static void collect_capabilities(
    const struct proc_status *status, struct fact_capabilities *ret)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &header, data) < 0) {
        ret->error = errno;
        return;
    }
    *ret = (struct fact_capabilities){
        .known = true,
        .effective = data[0].effective | (uint64_t)data[1].effective << 32,
        .permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
        .inheritable = data[0].inheritable | (uint64_t)data[1].inheritable
                                                 << 32,
        .ambient = ambient_set(),
    };
    ret->contradicted =
        differs(status, PROC_STATUS_CAP_EFFECTIVE, ret->effective) ||
        differs(status, PROC_STATUS_CAP_PERMITTED, ret->permitted) ||
        differs(status, PROC_STATUS_CAP_INHERITABLE, ret->inheritable) ||
        differs(status, PROC_STATUS_CAP_AMBIENT, ret->ambient);
}

static void collect_process(struct posture_facts *ret)
{
    char buf[3072];
    struct proc_status status = {.uid_known = false};
    struct uid_map map = {.root = UID_MAP_UNKNOWN};
    ssize_t len = read_file("/proc/self/status", buf, sizeof(buf));

    if (len > 0)
        proc_status_parse(span_of(buf, (size_t)len), &status);
    collect_ids(&status, &ret->ids);
    collect_capabilities(&status, &ret->capabilities);
    facts_process(&status, &ret->process);
    len = read_file("/proc/self/uid_map", buf, sizeof(buf));
    if (len > 0)
        uid_map_parse(span_of(buf, (size_t)len), &map);
    ret->user_namespace = (struct fact_user_namespace){
        .known = map.root != UID_MAP_UNKNOWN,
        .root_is_mapped = map.root == UID_MAP_MAPPED,
        .root_outside = map.outside,
    };
}

void facts_collect(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    ret->linux_facts = true;
    facts_environment(policy, ret);
    collect_process(ret);
    facts_sockets(&ret->sockets);
    if (policy->cert_cache != NULL)
        facts_directory(policy->cert_cache, &ret->cert_cache);
    if (policy->lock_path != NULL)
        facts_lock(policy->lock_path, &ret->lock);
}
