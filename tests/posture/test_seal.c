/*
 * What a sealed process can no longer do, tried by a child that is sealed.
 * Built without sanitizers whatever the build: they make system calls of
 * their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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
    cmocka_unit_test(names_of_system_calls),
    cmocka_unit_test(what_was_not_asked_is_said_so));
