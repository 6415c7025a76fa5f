/*
 * The seccomp filters, seccomp(2).  The server's list was made by tracing the
 * end-to-end suite; each entry says what calls it.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "posture/seal_part.h"

#if SEAL_HAS_FILTER

/* Calls that a bound and verified server makes. */
static const int server_calls[] = {
    /* the event loop */
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    /* connections */
    SCMP_SYS(accept4),
    SCMP_SYS(accept),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(ioctl),
    SCMP_SYS(fcntl),
    /* memory: no page becomes executable, see below */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* threads, locks, signals, time */
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    /* facts: the check of the sealed phase reads the kernel again */
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getdents64),
    SCMP_SYS(pread64),
    SCMP_SYS(statx),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getresuid),
    SCMP_SYS(getresgid),
    SCMP_SYS(getgroups),
    SCMP_SYS(setfsuid),
    SCMP_SYS(capget),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(personality),
    SCMP_SYS(getrandom),
    /* the end */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(tgkill),
};

/* Refused with EPERM rather than a signal: the probes ask for these, and a
 * library that tries one goes on without. */
static const int server_denied[] = {
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(connect),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
};

/* What no service needs, whatever it is. */
static const int program_denied[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(syslog),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(io_uring_setup),
};

static int add_all(
    scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int failed = 0;

    for (size_t i = 0; i < count && failed == 0; i++) {
        if (calls[i] >= 0) { /* else this architecture does not have it */
            failed =
                seccomp_rule_add_exact_array(filter, action, calls[i], 0, NULL);
        }
    }
    return failed;
}

/* The calls that depend on an argument. */
static int add_conditional(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_executable =
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    /* Reading alone: /proc, and the descriptor that accept() falls back on. */
    const struct scmp_arg_cmp read_only =
        SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, 0);
    /* Asking for a limit, not setting one. */
    const struct scmp_arg_cmp asks = SCMP_A2_64(SCMP_CMP_EQ, 0, 0);
    const struct {
        int call;
        const struct scmp_arg_cmp *when;
    } rules[] = {
        {SCMP_SYS(mmap), &not_executable},
        {SCMP_SYS(mprotect), &not_executable},
        {SCMP_SYS(openat), &read_only},
        {SCMP_SYS(prlimit64), &asks},
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
    /* prctl(2) reads here: PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ, ...; what it
     * could still set only tightens, or needs what was given up. */
    if (failed == 0)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 0);
    for (size_t i = 0; i < ARRAY_LEN(writes) && failed == 0; i++) {
        failed = seccomp_rule_add_array(
            filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1, &writes[i]);
    }
    return failed;
}

static int add_server(scmp_filter_ctx filter)
{
    int failed =
        add_all(filter, SCMP_ACT_ALLOW, server_calls, ARRAY_LEN(server_calls));

    if (failed == 0) {
        failed = add_all(filter, SCMP_ACT_ERRNO(EPERM), server_denied,
            ARRAY_LEN(server_denied));
    }
    return failed == 0 ? add_conditional(filter) : failed;
}

int seal_filter(enum seal_profile profile)
{
    bool server = profile == SEAL_PROFILE_SERVER;
    scmp_filter_ctx filter =
        seccomp_init(server ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW);
    int failed = 0;

    if (filter == NULL)
        return -ENOMEM;
    failed = server ? add_server(filter)
                    : add_all(filter, SCMP_ACT_ERRNO(EPERM), program_denied,
                          ARRAY_LEN(program_denied));
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed;
}

#else

int seal_filter(enum seal_profile profile)
{
    (void)profile;
    return -ENOTSUP;
}

#endif
