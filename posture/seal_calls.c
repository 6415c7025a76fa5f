#include "posture/seal_calls.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "base/attr.h"

/* clang-format off */
static const struct seal_call server_kept[] = {
    /* the event loop */
    {SCMP_SYS(epoll_wait), "a loop waits for events"},
    {SCMP_SYS(epoll_pwait), "the same, on architectures without epoll_wait"},
    {SCMP_SYS(epoll_pwait2), "the same, to the nanosecond"},
    {SCMP_SYS(epoll_ctl), "a connection comes or goes, or waits to write"},
    {SCMP_SYS(epoll_create1), "the loop of a worker"},
    {SCMP_SYS(eventfd2), "the doorbell that wakes a loop"},
    {SCMP_SYS(poll), "poll(3): looks at one descriptor"},
    {SCMP_SYS(ppoll), "poll(3) on architectures without poll"},
    {SCMP_SYS(timerfd_create), "a clock as a descriptor"},
    {SCMP_SYS(timerfd_settime), "the same"},
    {SCMP_SYS(timerfd_gettime), "the same"},
    {SCMP_SYS(signalfd4), "SIGTERM as a descriptor"},
    /* connections */
    {SCMP_SYS(accept4), "a client"},
    {SCMP_SYS(accept), "accept(3)"},
    {SCMP_SYS(read), "streams, doorbells, /proc"},
    {SCMP_SYS(readv), "streams"},
    {SCMP_SYS(write), "streams, doorbells, the log"},
    {SCMP_SYS(writev), "a frame's head and payload"},
    {SCMP_SYS(recvfrom), "recv(3): OpenSSL's sockets"},
    {SCMP_SYS(recvmsg), "recvmsg(3)"},
    {SCMP_SYS(sendto), "send(3): OpenSSL's sockets"},
    {SCMP_SYS(sendmsg), "a frame's head and payload, without SIGPIPE"},
    {SCMP_SYS(shutdown), "the end of a stream"},
    {SCMP_SYS(close), "every descriptor"},
    {SCMP_SYS(setsockopt), "TCP_NODELAY, keep-alive"},
    {SCMP_SYS(getsockopt), "SO_ERROR; phase bound asks for more"},
    {SCMP_SYS(getsockname), "phase bound: what a socket is bound to"},
    {SCMP_SYS(getpeername), "the address of a client"},
    {SCMP_SYS(fcntl), "non-blocking, close-on-exec, locks"},
    /* memory: no page becomes executable, see seal_filter.c */
    {SCMP_SYS(brk), "malloc"},
    {SCMP_SYS(munmap), "free; a thread's stack"},
    {SCMP_SYS(mremap), "realloc of what was mapped"},
    {SCMP_SYS(madvise), "free; a thread's stack when it ends"},
    /* locks and scheduling */
    {SCMP_SYS(futex), "mutexes, conditions, joining a thread"},
    {SCMP_SYS(sched_yield), "spinning locks"},
    {SCMP_SYS(sched_getaffinity), "how many processors there are"},
    {SCMP_SYS(getcpu), "sched_getcpu(3) where the vDSO does not answer"},
    {SCMP_SYS(membarrier), "lock-free structures; orders memory, no more"},
    /* signals */
    {SCMP_SYS(rt_sigaction), "handlers; abort(3) resets its own"},
    {SCMP_SYS(rt_sigprocmask), "signals as events, abort(3), new threads"},
    {SCMP_SYS(rt_sigreturn), "the end of a handler"},
    {SCMP_SYS(rt_sigtimedwait), "sigwait(3): a thread that waits for signals"},
    {SCMP_SYS(sigaltstack), "a handler's own stack"},
    {SCMP_SYS(restart_syscall), "the kernel's: a sleep that a stop broke off"},
    /* processes that were made before the seal */
    {SCMP_SYS(wait4), "waitpid(3): one of them has ended"},
    {SCMP_SYS(waitid), "the same"},
    /* time */
    {SCMP_SYS(nanosleep), "nanosleep(3) of old C libraries"},
    {SCMP_SYS(clock_nanosleep), "nanosleep(3)"},
    {SCMP_SYS(clock_gettime), "where the vDSO does not answer"},
    {SCMP_SYS(clock_getres), "the same"},
    {SCMP_SYS(gettimeofday), "the same"},
    {SCMP_SYS(time), "the same"},
    {SCMP_SYS(times), "clock(3), processor time"},
    /* facts: the check of the sealed phase reads the kernel again, and the
     * statistics of the process are read from what was opened before */
    {SCMP_SYS(newfstatat), "stat(3)"},
    {SCMP_SYS(fstat), "fstat(3)"},
    {SCMP_SYS(statx), "stat(3) of other C libraries"},
    {SCMP_SYS(lseek), "a file of /proc, from its beginning"},
    {SCMP_SYS(pread64), "the same, in one call"},
    {SCMP_SYS(access), "posture: the platform"},
    {SCMP_SYS(faccessat), "posture: may we write to it?"},
    {SCMP_SYS(faccessat2), "the same, by the effective ids"},
    {SCMP_SYS(readlink), "posture: what a descriptor is"},
    {SCMP_SYS(readlinkat), "the same"},
    {SCMP_SYS(statfs), "posture: read-only mounts"},
    {SCMP_SYS(fstatfs), "the same"},
    {SCMP_SYS(getdents64), "posture: /proc/self/fd"},
    {SCMP_SYS(getpid), "the log; abort(3)"},
    {SCMP_SYS(gettid), "posture: which thread asks; abort(3)"},
    {SCMP_SYS(getppid), "posture"},
    {SCMP_SYS(getuid), "posture"},
    {SCMP_SYS(geteuid), "posture"},
    {SCMP_SYS(getgid), "posture"},
    {SCMP_SYS(getegid), "posture"},
    {SCMP_SYS(getresuid), "posture"},
    {SCMP_SYS(getresgid), "posture"},
    {SCMP_SYS(getgroups), "posture"},
    {SCMP_SYS(setfsuid), "posture: the only way to ask; without a "
                         "capability it changes nothing"},
    {SCMP_SYS(capget), "posture: what is still held"},
    {SCMP_SYS(getrlimit), "posture: RLIMIT_CORE"},
    {SCMP_SYS(getrusage), "statistics: processor time, memory"},
    {SCMP_SYS(sysinfo), "statistics: memory of the machine"},
    {SCMP_SYS(uname), "posture: which kernel"},
    {SCMP_SYS(personality), "posture: without a capability it changes "
                            "nothing that a later exec, denied, would see"},
    {SCMP_SYS(getrandom), "keys, nonces, hash seeds"},
    /* the end */
    {SCMP_SYS(exit), "a thread"},
    {SCMP_SYS(exit_group), "the process"},
};

static const struct seal_call server_denied[] = {
    {SCMP_SYS(socket), "no listener, no client beyond those at boot"},
    {SCMP_SYS(socketpair), "the same"},
    {SCMP_SYS(bind), "the same"},
    {SCMP_SYS(listen), "listen(2) binds an unbound socket by itself"},
    {SCMP_SYS(connect), "the same"},
    {SCMP_SYS(execve), "no other program"},
    {SCMP_SYS(execveat), "the same"},
    {SCMP_SYS(ptrace), "no other process's memory"},
    {SCMP_SYS(process_vm_readv), "the same"},
    {SCMP_SYS(process_vm_writev), "the same"},
    {SCMP_SYS(io_uring_setup), "calls that no filter sees"},
};

/* What pthread_create(3) and a thread's end make beside clone(2) itself. */
static const struct seal_call thread_kept[] = {
    {SCMP_SYS(set_robust_list), "a thread begins: its robust mutexes"},
    {SCMP_SYS(rseq), "a thread begins: restartable sequences"},
    {SCMP_SYS(set_tid_address), "a thread begins, in other C libraries"},
    {SCMP_SYS(sched_getparam), "pthread_attr_*(3)"},
    {SCMP_SYS(sched_getscheduler), "the same"},
};

static const struct seal_call program_denied[] = {
    {SCMP_SYS(ptrace), "other processes' memory"},
    {SCMP_SYS(process_vm_readv), "the same"},
    {SCMP_SYS(process_vm_writev), "the same"},
    {SCMP_SYS(init_module), "code in the kernel"},
    {SCMP_SYS(finit_module), "the same"},
    {SCMP_SYS(delete_module), "the same"},
    {SCMP_SYS(kexec_load), "another kernel"},
    {SCMP_SYS(kexec_file_load), "the same"},
    {SCMP_SYS(reboot), "the machine"},
    {SCMP_SYS(mount), "the view of the file system"},
    {SCMP_SYS(umount2), "the same"},
    {SCMP_SYS(pivot_root), "the same"},
    {SCMP_SYS(chroot), "the same"},
    {SCMP_SYS(move_mount), "the same"},
    {SCMP_SYS(open_tree), "the same"},
    {SCMP_SYS(fsopen), "the same"},
    {SCMP_SYS(fsconfig), "the same"},
    {SCMP_SYS(fsmount), "the same"},
    {SCMP_SYS(fspick), "the same"},
    {SCMP_SYS(mount_setattr), "the same"},
    {SCMP_SYS(swapon), "the machine's memory"},
    {SCMP_SYS(swapoff), "the same"},
    {SCMP_SYS(acct), "the machine's accounting"},
    {SCMP_SYS(quotactl), "the machine's disks"},
    {SCMP_SYS(bpf), "code in the kernel"},
    {SCMP_SYS(perf_event_open), "what others do, and many kernel bugs"},
    {SCMP_SYS(add_key), "keyrings, which no namespace separates"},
    {SCMP_SYS(request_key), "the same"},
    {SCMP_SYS(keyctl), "the same"},
    {SCMP_SYS(settimeofday), "the machine's clock"},
    {SCMP_SYS(clock_settime), "the same"},
    {SCMP_SYS(adjtimex), "the same"},
    {SCMP_SYS(clock_adjtime), "the same"},
    {SCMP_SYS(sethostname), "the machine's name"},
    {SCMP_SYS(setdomainname), "the same"},
    {SCMP_SYS(iopl), "the machine's ports"},
    {SCMP_SYS(ioperm), "the same"},
    {SCMP_SYS(syslog), "the kernel's log, and its addresses"},
    {SCMP_SYS(userfaultfd), "what makes kernel races easy to win"},
    {SCMP_SYS(open_by_handle_at), "files by number, around every mount"},
    {SCMP_SYS(unshare), "a user namespace gives every capability within"},
    {SCMP_SYS(setns), "the same"},
    {SCMP_SYS(io_uring_setup), "calls that no filter sees"},
};

static const struct seal_call client_denied[] = {
    {SCMP_SYS(listen), "nobody is served"},
    {SCMP_SYS(accept), "the same"},
    {SCMP_SYS(accept4), "the same"},
    {SCMP_SYS(execve), "no other program"},
    {SCMP_SYS(execveat), "the same"},
};

/* Signals to ourselves alone: the value of tgkill is our own process id, which
 * is added when the filter is made. */
static const struct seal_option_call server_options_kept[] = {
    {SCMP_SYS(prctl), 0, PR_GET_NO_NEW_PRIVS, "posture: the sealed phase"},
    {SCMP_SYS(prctl), 0, PR_SET_NO_NEW_PRIVS, "a seal that is made twice"},
    {SCMP_SYS(prctl), 0, PR_GET_DUMPABLE, "posture: the sealed phase"},
    {SCMP_SYS(prctl), 0, PR_CAPBSET_READ, "posture: the bounding set"},
    {SCMP_SYS(prctl), 0, PR_CAP_AMBIENT, "posture: the ambient set, which is "
                                         "empty for good"},
    {SCMP_SYS(prctl), 0, PR_GET_SECCOMP, "libseccomp"},
    {SCMP_SYS(prctl), 0, PR_GET_SECUREBITS, "posture"},
    {SCMP_SYS(prctl), 0, PR_GET_KEEPCAPS, "the same"},
    {SCMP_SYS(prctl), 0, PR_SET_NAME, "pthread_setname_np(3)"},
    {SCMP_SYS(prctl), 0, PR_GET_NAME, "pthread_getname_np(3)"},
    {SCMP_SYS(ioctl), 1, TCGETS, "isatty(3): is the log a terminal?"},
    {SCMP_SYS(ioctl), 1, FIONREAD, "how much waits to be read"},
    {SCMP_SYS(ioctl), 1, TIOCOUTQ, "SIOCOUTQ: how much waits to be sent"},
};

static const struct seal_option_call server_options_denied[] = {
    {SCMP_SYS(prctl), 0, PR_SET_DUMPABLE, "takes the seal back"},
    {SCMP_SYS(prctl), 0, PR_SET_PTRACER, "lets others trace"},
    {SCMP_SYS(prctl), 0, PR_SET_VMA, "malloc names its memory, where it can"},
    {SCMP_SYS(ioctl), 1, TIOCSTI, "types into the terminal that started us"},
};
/* clang-format on */

const struct seal_calls seal_server_kept = {
    server_kept, ARRAY_LEN(server_kept)};
const struct seal_calls seal_server_denied = {
    server_denied, ARRAY_LEN(server_denied)};
const struct seal_calls seal_thread_kept = {
    thread_kept, ARRAY_LEN(thread_kept)};
const struct seal_calls seal_program_denied = {
    program_denied, ARRAY_LEN(program_denied)};
const struct seal_calls seal_client_denied = {
    client_denied, ARRAY_LEN(client_denied)};
const struct seal_option_calls seal_server_options_kept = {
    server_options_kept, ARRAY_LEN(server_options_kept)};
const struct seal_option_calls seal_server_options_denied = {
    server_options_denied, ARRAY_LEN(server_options_denied)};
