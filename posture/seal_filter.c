/*
 * The seccomp filters, seccomp(2), made of the tables of seal_calls.c and of
 * the calls that depend on their arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posture/seal_calls.h"
#include "posture/seal_part.h"

#if SEAL_HAS_FILTER

/* libseccomp's compiler of filters: a binary tree in place of a list. */
enum { OPTIMIZE_TREE = 2 };

/* clone(2): what a thread is made of, and what it must not come with.  Its
 * flags are the second argument on s390 alone. */
#if defined(__s390__)
#define CLONE_FLAGS_ARGUMENT 1
#else
#define CLONE_FLAGS_ARGUMENT 0
#endif

static const uint64_t thread_flags[] = {CLONE_VM, CLONE_FS, CLONE_FILES,
    CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM};
static const uint64_t namespace_flags[] = {CLONE_NEWNS, CLONE_NEWCGROUP,
    CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET};

static int add_all(
    scmp_filter_ctx filter, uint32_t action, const struct seal_calls *calls)
{
    int failed = 0;

    for (size_t i = 0; i < calls->count && failed == 0; i++) {
        if (calls->list[i].number >= 0) {
            failed = seccomp_rule_add_exact_array(
                filter, action, calls->list[i].number, 0, NULL);
        }
    }
    return failed;
}

static int add_options(scmp_filter_ctx filter, uint32_t action,
    const struct seal_option_calls *calls)
{
    int failed = 0;

    for (size_t i = 0; i < calls->count && failed == 0; i++) {
        const struct seal_option_call *call = &calls->list[i];
        const struct scmp_arg_cmp when =
            SCMP_CMP64(call->argument, SCMP_CMP_EQ, call->value, 0);

        failed = seccomp_rule_add_array(filter, action, call->number, 1, &when);
    }
    return failed;
}

/* The calls that depend on bits of an argument. */
static int add_conditional(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_executable =
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    /* Reading alone: /proc, and the descriptor that accept() falls back on. */
    const struct scmp_arg_cmp read_only =
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, 0);
    /* Asking for a limit, not setting one. */
    const struct scmp_arg_cmp asks = SCMP_A2_64(SCMP_CMP_EQ, 0, 0);
    /* Signals for ourselves alone: raise(3), abort(3). */
    const struct scmp_arg_cmp ours =
        SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
    const struct {
        int call;
        const struct scmp_arg_cmp *when;
    } rules[] = {
        {SCMP_SYS(mmap), &not_executable},
        {SCMP_SYS(mprotect), &not_executable},
        {SCMP_SYS(openat), &read_only},
        {SCMP_SYS(prlimit64), &asks},
        {SCMP_SYS(tgkill), &ours},
    };
    const struct scmp_arg_cmp writes[] = {
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_WRONLY),
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDWR),
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT, O_CREAT),
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_TRUNC),
    };
    int failed = 0;

    for (size_t i = 0; i < ARRAY_LEN(rules) && failed == 0; i++) {
        failed = seccomp_rule_add_array(
            filter, SCMP_ACT_ALLOW, rules[i].call, 1, rules[i].when);
    }
    for (size_t i = 0; i < ARRAY_LEN(writes) && failed == 0; i++) {
        failed = seccomp_rule_add_array(
            filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1, &writes[i]);
    }
    return failed;
}

/* Refuse clone(2) where that bit is as given. */
static int deny_clone(scmp_filter_ctx filter, uint64_t flag, uint64_t value)
{
    const struct scmp_arg_cmp when =
        SCMP_CMP64(CLONE_FLAGS_ARGUMENT, SCMP_CMP_MASKED_EQ, flag, value);

    return seccomp_rule_add_array(
        filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &when);
}

static int deny_namespaces(scmp_filter_ctx filter)
{
    int failed = 0;

    for (size_t i = 0; i < ARRAY_LEN(namespace_flags) && failed == 0; i++)
        failed = deny_clone(filter, namespace_flags[i], namespace_flags[i]);
    /* Its flags are in memory, where no filter can look: C libraries then
     * take clone. */
    if (failed == 0) {
        failed = seccomp_rule_add(
            filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    return failed;
}

static int allow_threads(scmp_filter_ctx filter)
{
    uint64_t needed = 0;
    uint64_t mask = 0;
    int failed = add_all(filter, SCMP_ACT_ALLOW, &seal_thread_kept);

    for (size_t i = 0; i < ARRAY_LEN(thread_flags) && failed == 0; i++) {
        needed |= thread_flags[i];
        failed = deny_clone(filter, thread_flags[i], 0);
    }
    mask = needed;
    for (size_t i = 0; i < ARRAY_LEN(namespace_flags); i++)
        mask |= namespace_flags[i];
    if (failed == 0)
        failed = deny_namespaces(filter);
    if (failed == 0) {
        const struct scmp_arg_cmp when =
            SCMP_CMP64(CLONE_FLAGS_ARGUMENT, SCMP_CMP_MASKED_EQ, mask, needed);

        failed = seccomp_rule_add_array(
            filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &when);
    }
    return failed;
}

static int add_server(scmp_filter_ctx filter, bool threads)
{
    const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
    int failed = add_all(filter, SCMP_ACT_ALLOW, &seal_server_kept);

    if (failed == 0)
        failed = add_all(filter, eperm, &seal_server_denied);
    if (failed == 0)
        failed = add_options(filter, SCMP_ACT_ALLOW, &seal_server_options_kept);
    if (failed == 0)
        failed = add_options(filter, eperm, &seal_server_options_denied);
    if (failed == 0)
        failed = add_conditional(filter);
    return failed == 0 && threads ? allow_threads(filter) : failed;
}

static int add_program(scmp_filter_ctx filter, enum seal_profile profile)
{
    const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
    int failed = add_all(filter, eperm, &seal_program_denied);

    if (failed == 0 && profile == SEAL_PROFILE_CLIENT)
        failed = add_all(filter, eperm, &seal_client_denied);
    return failed == 0 ? deny_namespaces(filter) : failed;
}

int seal_filter(const struct seal_plan *plan)
{
    bool server = plan->profile == SEAL_PROFILE_SERVER;
    scmp_filter_ctx filter =
        seccomp_init(server ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW);
    int failed = 0;

    if (filter == NULL)
        return -ENOMEM;
    failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE);
    if (failed == 0) {
        failed = server ? add_server(filter, plan->threads)
                        : add_program(filter, plan->profile);
    }
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed;
}

#else

int seal_filter(const struct seal_plan *plan)
{
    (void)plan;
    return -ENOTSUP;
}

#endif
