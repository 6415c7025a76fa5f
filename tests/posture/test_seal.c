/*
 * What a sealed process can no longer do, tried by a child that is sealed.
 * Built without sanitizers whatever the build: they make system calls of
 * their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posture/seal_calls.h"
#include "posture/seal_part.h"

#include "cmocka_all.h"

enum { OPEN_PORT = 18443 };

static const uint16_t ports[] = {OPEN_PORT};

/* All parts that this kernel has: Landlock may be missing or old. */
static unsigned all_parts(void)
{
    unsigned parts = (1U << SEAL_PART_COUNT) - 1;
    int abi = seal_landlock_abi();

    if (abi < 1)
        parts &= ~(1U << SEAL_FILES);
    if (abi < 4)
        parts &= ~(1U << SEAL_TCP_BIND);
    return parts;
}

/* The status of a child that is sealed by the plan and then tries: -signal,
 * or what the attempt returned, an errno or 0. */
static int try_sealed(const struct seal_plan *plan, int (*attempt)(void))
{
    struct seal_report report;
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSYS, SIG_DFL);
        seal_apply(plan, &report);
        _exit(seal_is_whole(&report) ? attempt() : 255);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_server(int (*attempt)(void))
{
    return try_sealed(&(struct seal_plan){.parts = all_parts(),
                          .profile = SEAL_PROFILE_SERVER},
        attempt);
}

static int try_threads(int (*attempt)(void))
{
    return try_sealed(&(struct seal_plan){.parts = all_parts(),
                          .profile = SEAL_PROFILE_SERVER,
                          .threads = true},
        attempt);
}

static int try_program(int (*attempt)(void))
{
    return try_sealed(&(struct seal_plan){.parts = all_parts(),
                          .profile = SEAL_PROFILE_PROGRAM,
                          .bind_ports = ports,
                          .bind_port_count = ARRAY_LEN(ports)},
        attempt);
}

static int bind_one(int type, int protocol, uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, type, protocol);

    if (fd < 0)
        return errno;
    return bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int bind_other_tcp(void)
{
    return bind_one(SOCK_STREAM, 0, 18444);
}

static int bind_open_tcp(void)
{
    return bind_one(SOCK_STREAM, 0, OPEN_PORT);
}

static int bind_udp(void)
{
    return bind_one(SOCK_DGRAM, 0, 18444);
}

static int bind_mptcp(void)
{
    return bind_one(SOCK_STREAM, IPPROTO_MPTCP, 18444);
}

static int listening = -1;

static int listen_unbound(void)
{
    return listen(listening, 1) < 0 ? errno : 0;
}

static int write_file(void)
{
    return open("/tmp/posture-seal-test", O_WRONLY | O_CREAT, 0600) < 0 ? errno
                                                                        : 0;
}

static int truncate_file(void)
{
    return open("/etc/passwd", O_RDONLY | O_TRUNC) < 0 ? errno : 0;
}

static int read_file(void)
{
    return open("/proc/self/status", O_RDONLY) < 0 ? errno : 0;
}

static int list_directory(void)
{
    return open("/proc/self/fd", O_RDONLY | O_DIRECTORY) < 0 ? errno : 0;
}

static int run_program(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};

    return execv("/bin/true", argv) < 0 ? errno : 0;
}

static int be_dumped(void)
{
    return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1;
}

static int hold_capabilities(void)
{
    return prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 1 &&
                   prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1
               ? 1
               : 0;
}

static int make_module(void)
{
    return syscall(SYS_init_module, NULL, 0UL, "") < 0 ? errno : 0;
}

static int unlisted_call(void)
{
    (void)syscall(SYS_sethostname, "x", 1UL);
    return 0;
}

static void a_server_opens_no_socket(void **state)
{
    (void)state;
    assert_int_equal(try_server(bind_other_tcp), EPERM);
    assert_int_equal(try_server(bind_udp), EPERM);
    assert_int_equal(try_server(bind_mptcp), EPERM);
    listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(listening >= 0);
    assert_int_equal(try_server(listen_unbound), EPERM);
    (void)close(listening);
}

static void a_server_writes_no_file_and_runs_nothing(void **state)
{
    (void)state;
    assert_int_equal(try_server(write_file), EPERM);
    assert_int_equal(try_server(truncate_file), EPERM);
    assert_int_equal(try_server(run_program), EPERM);
    assert_int_equal(try_server(read_file), 0);
    assert_int_equal(try_server(list_directory), 0);
}

static void a_server_is_not_dumped_and_holds_nothing(void **state)
{
    (void)state;
    assert_int_equal(try_server(be_dumped), 0);
    assert_int_equal(try_server(hold_capabilities), 0);
}

static void a_call_that_is_not_listed_ends_the_server(void **state)
{
    (void)state;
    assert_int_equal(try_server(unlisted_call), -SIGSYS);
}

static void a_program_keeps_its_ports_and_no_other(void **state)
{
    (void)state;
    if (seal_landlock_abi() < 4)
        skip();
    assert_int_equal(try_program(bind_other_tcp), EACCES);
    assert_int_equal(try_program(bind_open_tcp), 0);
    assert_int_equal(try_program(make_module), EPERM);
    assert_int_equal(try_program(write_file), EACCES);
    assert_int_equal(try_program(read_file), 0);
    assert_int_equal(try_program(run_program), 0);
}

static void declared_paths_stay_writable(void **state)
{
    char dir[] = "/tmp/posture-seal-XXXXXX";
    const char *paths[] = {dir, "/tmp/posture-seal-is-not-there"};
    const struct seal_plan plan = {
        .parts = 1U << SEAL_NO_NEW_PRIVS | 1U << SEAL_FILES,
        .writable = paths,
        .writable_count = ARRAY_LEN(paths),
    };
    int status = 0;
    pid_t child = 0;

    (void)state;
    if (seal_landlock_abi() < 1)
        skip();
    assert_non_null(mkdtemp(dir));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct seal_report report;
        bool inside = false;

        seal_apply(&plan, &report);
        inside = open(dir, O_TMPFILE | O_WRONLY, 0600) >= 0;
        _exit(
            inside && seal_is_whole(&report) && write_file() == EACCES ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)rmdir(dir);
}

static void a_sealed_server_is_not_traced(void **state)
{
    int ready[2];
    int status = 0;
    char byte = 0;
    pid_t child = 0;
    pid_t tracer = 0;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct seal_report report;

        seal_apply(&(struct seal_plan){.parts = all_parts(),
                       .profile = SEAL_PROFILE_SERVER},
            &report);
        (void)!write(ready[1], "x", 1);
        (void)close(ready[0]);
        for (;;)
            (void)poll(NULL, 0, 1000);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    /* Root may trace what is not dumpable; an ordinary user of the same id
     * may not. */
    tracer = fork();
    assert_true(tracer >= 0);
    if (tracer == 0) {
        struct seal_report report;

        seal_apply(&(struct seal_plan){.parts = 1U << SEAL_NO_NEW_PRIVS |
                                                1U << SEAL_CAPABILITIES},
            &report);
        _exit(ptrace(PTRACE_ATTACH, child, NULL, NULL) < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(tracer, &status, 0), tracer);
    assert_int_equal(WEXITSTATUS(status), EPERM);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* ---- threads ---- */

/* Run the attempt in a thread that is started now: what it returned, or 254. */
static int in_thread(void *(*attempt)(void *))
{
    pthread_t thread;
    void *result = NULL;

    if (pthread_create(&thread, NULL, attempt, NULL) != 0 ||
        pthread_join(thread, &result) != 0)
        return 254;
    return (int)(intptr_t)result;
}

static void *as_result(int result)
{
    return (void *)(intptr_t)result; /* NOLINT(performance-no-int-to-ptr) */
}

static void *do_nothing(void *unused)
{
    (void)unused;
    return NULL;
}

static int start_thread(void)
{
    return in_thread(do_nothing);
}

/* What a worker does from its first call to its last; the number of the line
 * that failed, or 0. */
#define EXPECT(what)                                                           \
    do {                                                                       \
        if (!(what))                                                           \
            return as_result(__LINE__ % 251 + 1);                              \
    } while (0)

static void *work(void *unused)
{
    struct epoll_event event = {.events = EPOLLIN};
    const struct itimerspec soon = {.it_value.tv_nsec = 1};
    const struct timespec moment = {.tv_nsec = 1};
    struct rusage usage;
    struct sysinfo info;
    struct tms spent;
    struct timespec now;
    cpu_set_t processors;
    sigset_t term;
    uint64_t one = 1;
    char byte = 0;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    void *big = malloc(4U << 20);

    (void)unused;
    EXPECT(loop >= 0 && doorbell >= 0 && timer >= 0 && big != NULL);
    EXPECT(epoll_ctl(loop, EPOLL_CTL_ADD, doorbell, &event) == 0);
    EXPECT(write(doorbell, &one, sizeof(one)) == sizeof(one));
    EXPECT(epoll_pwait(loop, &event, 1, -1, NULL) == 1);
    EXPECT(read(doorbell, &one, sizeof(one)) == sizeof(one));
    EXPECT(timerfd_settime(timer, 0, &soon, NULL) == 0);
    EXPECT(read(timer, &one, sizeof(one)) == sizeof(one));
    big = realloc(big, 16U << 20);
    EXPECT(big != NULL);
    free(big);
    EXPECT(sigemptyset(&term) == 0 && sigaddset(&term, SIGTERM) == 0);
    EXPECT(pthread_sigmask(SIG_BLOCK, &term, NULL) == 0);
    EXPECT(signalfd(-1, &term, SFD_CLOEXEC) >= 0);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL) == 0);
    EXPECT(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
    EXPECT(getrandom(&byte, 1, 0) == 1);
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0 && sysinfo(&info) == 0);
    EXPECT(times(&spent) != (clock_t)-1);
    EXPECT(sched_getaffinity(0, sizeof(processors), &processors) == 0);
    EXPECT(syscall(SYS_membarrier, 0, 0, 0) >= 0);
    EXPECT(sched_yield() == 0);
    EXPECT(pthread_setname_np(pthread_self(), "worker") == 0);
    EXPECT(pthread_kill(pthread_self(), 0) == 0);
    return as_result(0);
}

static int work_in_a_thread(void)
{
    return in_thread(work);
}

static int work_in_the_first_thread(void)
{
    return (int)(intptr_t)work(NULL);
}

static int statistics = -1;

static int read_statistics(void)
{
    char buf[64];

    return pread(statistics, buf, sizeof(buf), 0) > 0 &&
                   pread(statistics, buf, sizeof(buf), 0) > 0
               ? 0
               : 1;
}

static int do_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return child < 0 ? errno : 0;
}

static int do_vfork_call(void)
{
    return syscall(SYS_clone, (unsigned long)(CLONE_VM | CLONE_VFORK | SIGCHLD),
               NULL, NULL, NULL, NULL) < 0
               ? errno
               : 0;
}

static int clone_namespace(void)
{
    unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                          CLONE_THREAD | CLONE_SYSVSEM | CLONE_NEWUSER;

    return syscall(SYS_clone, flags, NULL, NULL, NULL, NULL) < 0 ? errno : 0;
}

static int clone_of_version_3(void)
{
    char args[64] = {0};

    return syscall(SYS_clone3, args, sizeof(args)) < 0 ? errno : 0;
}

static int spawn_program(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    pid_t child = 0;
    int status = 0;
    int error = posix_spawn(&child, "/bin/true", NULL, NULL, argv, NULL);

    if (error != 0)
        return error;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 253;
}

static void *be_free(void *unused)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];

    (void)unused;
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT(syscall(SYS_capget, &header, sets) == 0);
    EXPECT((sets[0].permitted | sets[1].permitted) == 0);
    EXPECT(write_file() == EPERM);
    EXPECT(bind_other_tcp() == EPERM);
    EXPECT(run_program() == EPERM);
    EXPECT(do_fork() == EPERM);
    return as_result(0);
}

static int be_free_in_a_thread(void)
{
    return in_thread(be_free);
}

static int become_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? errno : 0;
}

static int type_into_the_terminal(void)
{
    return ioctl(0, TIOCSTI, "x") < 0 ? errno : 0;
}

static int make_a_ring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL) < 0 ? errno : 0;
}

static int signal_the_parent(void)
{
    return syscall(SYS_tgkill, getppid(), getppid(), 0) < 0 ? errno : 0;
}

static int reap(void)
{
    int status = 0;

    return waitpid(-1, &status, WNOHANG) < 0 ? errno : 0;
}

static int do_abort(void)
{
    abort();
}

static void a_server_may_start_threads_where_declared(void **state)
{
    (void)state;
    assert_int_equal(try_threads(start_thread), 0);
    assert_int_equal(try_threads(work_in_a_thread), 0);
    assert_int_equal(try_threads(be_free_in_a_thread), 0);
}

static void threads_are_no_processes(void **state)
{
    (void)state;
    assert_int_equal(try_threads(do_fork), EPERM);
    assert_int_equal(try_threads(do_vfork_call), EPERM);
    assert_int_equal(try_threads(clone_namespace), EPERM);
    assert_int_equal(try_threads(clone_of_version_3), ENOSYS);
    assert_int_equal(try_threads(spawn_program), EPERM);
}

static void a_server_starts_nothing_unless_declared(void **state)
{
    (void)state;
    assert_int_equal(try_server(start_thread), -SIGSYS);
    assert_int_equal(try_server(do_fork), -SIGSYS);
    assert_int_equal(try_server(do_vfork_call), -SIGSYS);
}

static void a_server_without_threads_does_its_work(void **state)
{
    (void)state;
    statistics = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    assert_true(statistics >= 0);
    assert_int_equal(try_server(work_in_the_first_thread), 0);
    assert_int_equal(try_server(read_statistics), 0);
    assert_int_equal(try_server(reap), ECHILD);
    (void)close(statistics);
}

static void a_server_takes_nothing_back(void **state)
{
    (void)state;
    assert_int_equal(try_server(become_dumpable), EPERM);
    assert_int_equal(try_server(type_into_the_terminal), EPERM);
    assert_int_equal(try_server(make_a_ring), EPERM);
    assert_int_equal(try_server(signal_the_parent), -SIGSYS);
    assert_int_equal(try_server(do_abort), -SIGABRT);
}

static void a_program_forks_and_makes_no_namespace(void **state)
{
    (void)state;
    assert_int_equal(try_program(do_fork), 0);
    assert_int_equal(try_program(start_thread), 0);
    assert_int_equal(try_program(spawn_program), 0);
    assert_int_equal(try_program(clone_namespace), EPERM);
    assert_int_equal(try_program(clone_of_version_3), ENOSYS);
}

static void *wait_for_the_end(void *unused)
{
    while (poll(NULL, 0, -1) <= 0) {
    }
    return unused;
}

/* A child with a second thread: its first one alone would be sealed. */
static int try_client(int (*attempt)(void))
{
    return try_sealed(&(struct seal_plan){.parts = all_parts(),
                          .profile = SEAL_PROFILE_CLIENT},
        attempt);
}

/* Nobody listens there: whoever may connect is refused by the peer. */
static int connect_out(void)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(1),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? errno
                                                                     : 0;
}

static int accept_one(void)
{
    return accept4(listening, NULL, NULL, SOCK_NONBLOCK) < 0 ? errno : 0;
}

static void a_client_connects_out_and_serves_nobody(void **state)
{
    (void)state;
    if (seal_landlock_abi() < 4)
        skip();
    assert_int_equal(try_client(connect_out), ECONNREFUSED);
    assert_int_equal(try_client(do_fork), 0);
    assert_int_equal(try_client(start_thread), 0);
    assert_int_equal(try_client(read_file), 0);
    assert_int_equal(try_client(bind_other_tcp), EACCES);
    assert_int_equal(try_client(write_file), EACCES);
    assert_int_equal(try_client(run_program), EPERM);
    assert_int_equal(try_client(make_module), EPERM);
    assert_int_equal(try_client(clone_namespace), EPERM);
    assert_int_equal(try_client(be_dumped), 0);
    assert_int_equal(try_client(hold_capabilities), 0);
    listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(listening >= 0);
    assert_int_equal(try_client(listen_unbound), EPERM);
    assert_int_equal(try_client(accept_one), EPERM);
    (void)close(listening);
}

static void threads_from_before_are_said(void **state)
{
    const unsigned parts = 1U << SEAL_NO_NEW_PRIVS | 1U << SEAL_SYSCALLS;
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct seal_report report;
        pthread_t thread;

        if (seal_thread_count() != 1 ||
            pthread_create(&thread, NULL, wait_for_the_end, NULL) != 0 ||
            seal_thread_count() != 2)
            _exit(1);
        seal_apply(&(struct seal_plan){.parts = parts}, &report);
        _exit(!seal_is_whole(&report) &&
                      report.parts[SEAL_SYSCALLS].state == SEAL_MISSING &&
                      report.parts[SEAL_SYSCALLS].why != NULL &&
                      report.parts[SEAL_FILES].state == SEAL_NOT_ASKED
                  ? 0
                  : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void check_table(const struct seal_calls *calls)
{
    assert_true(calls->count > 0);
    for (size_t i = 0; i < calls->count; i++) {
        assert_true(calls->list[i].why[0] != '\0');
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(calls->list[i].number, calls->list[k].number);
        }
    }
}

static void each_call_is_listed_once_and_says_why(void **state)
{
    (void)state;
    check_table(&seal_server_kept);
    check_table(&seal_server_denied);
    check_table(&seal_thread_kept);
    check_table(&seal_program_denied);
    check_table(&seal_client_denied);
    for (size_t i = 0; i < seal_server_kept.count; i++) {
        for (size_t k = 0; k < seal_server_denied.count; k++) {
            assert_int_not_equal(seal_server_kept.list[i].number,
                seal_server_denied.list[k].number);
        }
    }
    for (size_t i = 0; i < seal_server_options_kept.count; i++)
        assert_true(seal_server_options_kept.list[i].why[0] != '\0');
}

static void names_of_system_calls(void **state)
{
    (void)state;
    assert_string_equal(seal_syscall_name(SYS_read), "read");
    assert_string_equal(seal_syscall_name(SYS_execveat), "execveat");
    assert_null(seal_syscall_name(-1));
    assert_null(seal_syscall_name(1000000));
}

static void what_was_not_asked_is_said_so(void **state)
{
    struct seal_report report;

    (void)state;
    seal_apply(&(struct seal_plan){.parts = 0}, &report);
    for (size_t i = 0; i < SEAL_PART_COUNT; i++)
        assert_int_equal(report.parts[i].state, SEAL_NOT_ASKED);
    assert_true(seal_is_whole(&report));
}

RUN_TESTS("seal", cmocka_unit_test(a_server_opens_no_socket),
    cmocka_unit_test(a_server_writes_no_file_and_runs_nothing),
    cmocka_unit_test(a_server_is_not_dumped_and_holds_nothing),
    cmocka_unit_test(a_call_that_is_not_listed_ends_the_server),
    cmocka_unit_test(a_program_keeps_its_ports_and_no_other),
    cmocka_unit_test(declared_paths_stay_writable),
    cmocka_unit_test(a_sealed_server_is_not_traced),
    cmocka_unit_test(a_server_may_start_threads_where_declared),
    cmocka_unit_test(threads_are_no_processes),
    cmocka_unit_test(a_server_starts_nothing_unless_declared),
    cmocka_unit_test(a_server_without_threads_does_its_work),
    cmocka_unit_test(a_server_takes_nothing_back),
    cmocka_unit_test(a_program_forks_and_makes_no_namespace),
    cmocka_unit_test(a_client_connects_out_and_serves_nobody),
    cmocka_unit_test(threads_from_before_are_said),
    cmocka_unit_test(each_call_is_listed_once_and_says_why),
    cmocka_unit_test(names_of_system_calls),
    cmocka_unit_test(what_was_not_asked_is_said_so));
