#include "posture/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"
#include "base/own.h"
#include "base/text.h"
#include "posture/proc_status.h"
#include "posture/uid_map.h"

enum {
    PROC_FILE_USUAL = 1 << 14,
    /* The largest: a status with 65536 groups (NGROUPS_MAX) of ten digits. */
    PROC_FILE_MAX = 1 << 20,
};

#ifdef SYS_setfsuid32 /* of 32-bit systems, where the other has 16-bit ids */
#define CALL_SETFSUID SYS_setfsuid32
#else
#define CALL_SETFSUID SYS_setfsuid
#endif

/* Ids, capabilities and the table of descriptors are a thread's own, and
 * /proc/self is the first thread. */
int facts_open_self(const char *name, int flags)
{
    char path[64];
    int fd = -1;

    (void)text_format(path, sizeof(path), "/proc/thread-self/%s", name);
    fd = open(path, flags | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT || gettid() != getpid())
        return fd;
    (void)text_format(path, sizeof(path), "/proc/self/%s", name);
    return open(path, flags | O_CLOEXEC);
}

struct fact_number facts_number(bool known, uint64_t value, int error)
{
    return (struct fact_number){
        .known = known, .error = known ? 0 : error, .value = value};
}

ssize_t facts_read_head(const char *path, char *ret, size_t cap)
{
    CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, ret, cap - 1);

    if (len < 0)
        return -errno;
    ret[len] = '\0';
    return len;
}

/* Read such a file whole; the length, or -errno. */
static ssize_t read_self(const char *name, char *buf, size_t cap)
{
    CLOSES int fd = facts_open_self(name, O_RDONLY);
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
            return (ssize_t)len;
        len += (size_t)got;
    }
    return -EFBIG; /* the rest is missing */
}

/* The same; *ret is the caller's to free. */
static ssize_t read_whole(const char *name, char **ret)
{
    ssize_t len = -EFBIG;

    for (size_t cap = PROC_FILE_USUAL; len == -EFBIG && cap <= PROC_FILE_MAX;
         cap *= PROC_FILE_MAX / PROC_FILE_USUAL) {
        free(*ret);
        *ret = malloc(cap);
        if (*ret == NULL)
            return -ENOMEM;
        len = read_self(name, *ret, cap);
    }
    return len;
}

/* setfsuid(2) has no way to ask: an invalid id changes nothing and the old
 * one is returned.  The C library's wrapper hides a failure.  0 or errno. */
static int filesystem_uid(uint32_t *ret)
{
    long old = syscall(CALL_SETFSUID, (uid_t)-1);

    if (old == -1)
        return errno;
    *ret = (uint32_t)old;
    return 0;
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
    };
    ret->filesystem_error = filesystem_uid(&ret->filesystem);
    if (ret->filesystem_error != 0 && status->uid_known) {
        ret->filesystem = status->uid[PROC_STATUS_FILESYSTEM];
        ret->filesystem_error = 0;
    }
    ret->contradicted =
        status->uid_known &&
        (status->uid[PROC_STATUS_REAL] != ret->real ||
            status->uid[PROC_STATUS_EFFECTIVE] != ret->effective ||
            status->uid[PROC_STATUS_SAVED] != ret->saved ||
            (ret->filesystem_error == 0 &&
                status->uid[PROC_STATUS_FILESYSTEM] != ret->filesystem));
}

/* Only what is both permitted and inheritable can be ambient.  0 or errno;
 * EINVAL: this kernel has no ambient set. */
static int ambient_set(uint64_t possible, uint64_t *ret)
{
    for (unsigned long bit = 0; bit < 64; bit++) {
        int held = 0;

        if ((possible >> bit & 1) != 0)
            held = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, bit, 0, 0);
        if (held < 0)
            return errno == EINVAL ? 0 : errno;
        if (held == 1)
            *ret |= UINT64_C(1) << bit;
    }
    return 0;
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
    };
    ret->ambient_error =
        ambient_set(ret->permitted & ret->inheritable, &ret->ambient);
    if (ret->ambient_error != 0 && status->cap_known[PROC_STATUS_CAP_AMBIENT]) {
        ret->ambient = status->cap[PROC_STATUS_CAP_AMBIENT];
        ret->ambient_error = 0;
    }
    ret->contradicted =
        differs(status, PROC_STATUS_CAP_EFFECTIVE, ret->effective) ||
        differs(status, PROC_STATUS_CAP_PERMITTED, ret->permitted) ||
        differs(status, PROC_STATUS_CAP_INHERITABLE, ret->inheritable) ||
        (ret->ambient_error == 0 &&
            differs(status, PROC_STATUS_CAP_AMBIENT, ret->ambient));
}

static void collect_status(
    struct posture_facts *ret, struct proc_status *status)
{
    FREES char *text = NULL;
    ssize_t len = read_whole("status", &text);

    if (len >= 0)
        proc_status_parse(span_of(text, (size_t)len), status);
    status->error = len < 0 ? (int)-len : 0;
    ret->status_error = status->error;
}

/* The user id that stands for owners outside; false: it cannot be told. */
static bool overflow_uid(uint32_t *ret)
{
    char buf[32];
    uint64_t uid = 65534; /* the kernel's default */
    ssize_t len =
        facts_read_head("/proc/sys/kernel/overflowuid", buf, sizeof(buf));

    if (len > 0 &&
        !num_parse_u64(span_of(buf, strcspn(buf, "\n")), UINT32_MAX, &uid))
        return false;
    *ret = (uint32_t)uid;
    return true;
}

static void collect_user_namespace(struct fact_user_namespace *ret)
{
    FREES char *text = NULL;
    struct uid_map map = {.root = UID_MAP_UNKNOWN};
    ssize_t len = read_whole("uid_map", &text);

    if (len > 0)
        uid_map_parse(span_of(text, (size_t)len), &map);
    *ret = (struct fact_user_namespace){
        .known = map.root != UID_MAP_UNKNOWN,
        .root_is_mapped = map.root == UID_MAP_MAPPED,
        .root_outside = map.outside,
        .some_unmapped =
            len > 0 && (map.root != UID_MAP_REAL || map.count != UINT32_MAX),
    };
    if (ret->some_unmapped)
        ret->some_unmapped = overflow_uid(&ret->unmapped_uid);
}

static void collect_at_boot(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    struct proc_status status = {.uid_known = false};

    ret->euid = geteuid();
    ret->egid = getegid();
    collect_status(ret, &status);
    collect_ids(&status, &ret->ids);
    collect_capabilities(&status, &ret->capabilities);
    facts_process(policy, ret->egid, &status, &ret->process);
    facts_loader(policy, ret);
    collect_user_namespace(&ret->user_namespace);
    facts_sockets(&ret->sockets, &ret->descriptors);
    facts_program(policy, ret);
    facts_host(ret->euid, &ret->host);
    if (policy->cert_cache != NULL)
        facts_directory(policy->cert_cache, &ret->cert_cache);
    for (size_t i = 0; i < policy->key_file_count; i++)
        facts_file(policy->key_files[i].name, &ret->key_files[i]);
    if (policy->lock_path != NULL)
        facts_lock(policy->lock_path, &ret->lock);
}

static void collect_when_sealed(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    struct proc_status status = {.uid_known = false};

    collect_status(ret, &status);
    facts_sealed_process(policy, POSTURE_PHASE_SEALED, &status, &ret->process);
}

void facts_collect(const struct posture_policy *policy,
    enum posture_phase phase, struct posture_facts *ret)
{
    ret->linux_facts = true;
    facts_environment(policy, ret);
    switch (phase) {
    case POSTURE_PHASE_BOOT:
        collect_at_boot(policy, ret);
        break;
    case POSTURE_PHASE_BOUND:
        facts_sockets(&ret->sockets, NULL);
        break;
    case POSTURE_PHASE_SEALED:
        collect_when_sealed(policy, ret);
        break;
    }
}
