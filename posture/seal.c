#include "posture/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "posture/seal_part.h"

static const char *const part_names[] = {
#define X(id, name, text) [id] = (name),
    SEAL_PART_LIST(X)
#undef X
};

static const char *const state_names[] = {
    [SEAL_NOT_ASKED] = "not asked",
    [SEAL_HELD_BEFORE] = "held before",
    [SEAL_ENFORCED] = "enforced",
    [SEAL_MISSING] = "missing",
};

const char *seal_part_name(enum seal_part part)
{
    return part_names[part];
}

const char *seal_state_name(enum seal_state state)
{
    return state_names[state];
}

static bool is_asked(const struct seal_plan *plan, enum seal_part part)
{
    return (plan->parts >> part & 1) != 0;
}

static void settle(struct seal_report *ret, enum seal_part part, bool before,
    bool now, int error)
{
    ret->parts[part].state = before ? SEAL_HELD_BEFORE
                             : now  ? SEAL_ENFORCED
                                    : SEAL_MISSING;
    ret->parts[part].error = now ? 0 : error;
}

static void miss(
    struct seal_report *ret, enum seal_part part, int error, const char *why)
{
    ret->parts[part].state = SEAL_MISSING;
    ret->parts[part].error = error;
    ret->parts[part].why = why;
}

static bool has_no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void seal_no_new_privs(struct seal_report *ret)
{
    bool before = has_no_new_privs();
    int error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0;

    settle(ret, SEAL_NO_NEW_PRIVS, before, has_no_new_privs(), error);
}

static bool holds_capabilities(void)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];

    if (syscall(SYS_capget, &header, sets) < 0)
        return true;
    return (sets[0].effective | sets[0].permitted | sets[0].inheritable |
               sets[1].effective | sets[1].permitted | sets[1].inheritable) !=
           0;
}

/* The bounding set can be emptied by those who hold CAP_SETPCAP only; without
 * it no_new_privs says that it gives nothing. */
static void seal_capabilities(struct seal_report *ret)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0}, {0}};
    bool before = !holds_capabilities();
    int error = 0;

    for (unsigned long bit = 0; bit < 64; bit++) {
        if (prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0 && errno == EINVAL)
            break; /* past the last one */
    }
    IGNORE(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0,
        "they go with the permitted ones");
    if (syscall(SYS_capset, &header, none) < 0)
        error = errno;
    settle(ret, SEAL_CAPABILITIES, before, !holds_capabilities(), error);
}

static bool is_dumpable(void)
{
    struct rlimit core;

    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
           getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0;
}

static void seal_not_dumpable(struct seal_report *ret)
{
    const struct rlimit none = {0, 0};
    bool before = !is_dumpable();
    int error = 0;

    /* A leak sanitizer attaches to its own process at the end. */
    if (!SEAL_HAS_FILTER) {
        miss(ret, SEAL_NOT_DUMPABLE, 0, "this build has sanitizers");
        return;
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        setrlimit(RLIMIT_CORE, &none) < 0)
        error = errno;
    settle(ret, SEAL_NOT_DUMPABLE, before, !is_dumpable(), error);
}

/* Does core_pattern name a program or a socket?  Then a limit of 0 is none;
 * what cannot be read may be one. */
static bool cores_ignore_0(void)
{
    CLOSES int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    char first = '|';

    return fd < 0 || read(fd, &first, 1) != 1 || first == '|' || first == '@';
}

/* 1 and not 0: see limit_stops_cores() of judge_process.c. */
static bool cores_are_stopped(void)
{
    struct rlimit core;

    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
        return true;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max > 1)
        return false;
    return core.rlim_cur == 1 || !cores_ignore_0();
}

/* A limit that was 0 before cannot become 1. */
static void seal_no_core(struct seal_report *ret)
{
    const struct rlimit smallest = {1, 1};
    bool before = cores_are_stopped();
    int error = 0;

    if (!before && setrlimit(RLIMIT_CORE, &smallest) < 0)
        error = errno;
    settle(ret, SEAL_NO_CORE, before, cores_are_stopped(), error);
}

static void settle_landlock(struct seal_report *ret, enum seal_part part,
    int abi_needed, int failed, bool proven)
{
    if (ret->landlock_abi == 0) {
        miss(ret, part, 0, "this kernel has no Landlock");
    } else if (ret->landlock_abi < abi_needed) {
        miss(ret, part, 0, "this kernel's Landlock is too old");
    } else if (failed != 0) {
        miss(ret, part, -failed, "Landlock refused the ruleset");
    } else if (!proven) {
        miss(ret, part, 0, "the ruleset is loaded, and a probe got through");
    } else {
        settle(ret, part, false, true, 0);
    }
}

static void seal_reach(const struct seal_plan *plan, struct seal_report *ret)
{
    bool files = is_asked(plan, SEAL_FILES);
    bool ports = is_asked(plan, SEAL_TCP_BIND);
    int failed = 0;

    ret->landlock_abi = seal_landlock_abi();
    if (!files && !ports)
        return;
    if (ret->landlock_abi > 0)
        failed = seal_landlock(plan, ret->landlock_abi);
    if (files)
        settle_landlock(ret, SEAL_FILES, 1, failed, seal_probe_files(plan));
    if (ports)
        settle_landlock(ret, SEAL_TCP_BIND, 4, failed, seal_probe_tcp_bind());
}

static void seal_syscalls(const struct seal_plan *plan, struct seal_report *ret)
{
    int failed = seal_filter(plan);

    if (failed == -ENOTSUP) {
        miss(ret, SEAL_SYSCALLS, 0, "this build has sanitizers");
    } else if (failed != 0) {
        miss(ret, SEAL_SYSCALLS, -failed, "seccomp refused the filter");
    } else if (!seal_probe_filter(plan)) {
        miss(ret, SEAL_SYSCALLS, 0,
            "the filter is loaded, and a probe got through");
    } else {
        settle(ret, SEAL_SYSCALLS, false, true, 0);
    }
}

/* What threads share: the memory, and the limits. */
static bool is_shared(enum seal_part part)
{
    return part == SEAL_NOT_DUMPABLE || part == SEAL_NO_CORE;
}

static void miss_other_threads(
    const struct seal_plan *plan, struct seal_report *ret)
{
    for (size_t i = 0; i < SEAL_PART_COUNT; i++) {
        enum seal_part part = (enum seal_part)i;

        if (is_asked(plan, part) && !is_shared(part) &&
            ret->parts[part].state != SEAL_MISSING)
            miss(ret, part, 0, "threads that were started before are free");
    }
}

void seal_apply(const struct seal_plan *plan, struct seal_report *ret)
{
    bool alone = seal_thread_count() <= 1;

    *ret = (struct seal_report){.landlock_abi = 0};
    /* no_new_privs comes first: Landlock and seccomp need it. */
    if (is_asked(plan, SEAL_NO_NEW_PRIVS))
        seal_no_new_privs(ret);
    if (is_asked(plan, SEAL_NOT_DUMPABLE))
        seal_not_dumpable(ret);
    if (is_asked(plan, SEAL_NO_CORE))
        seal_no_core(ret);
    seal_reach(plan, ret);
    if (is_asked(plan, SEAL_CAPABILITIES))
        seal_capabilities(ret);
    if (is_asked(plan, SEAL_SYSCALLS))
        seal_syscalls(plan, ret);
    if (!alone)
        miss_other_threads(plan, ret);
}

bool seal_is_whole(const struct seal_report *report)
{
    for (size_t i = 0; i < SEAL_PART_COUNT; i++) {
        if (report->parts[i].state == SEAL_MISSING)
            return false;
    }
    return true;
}
