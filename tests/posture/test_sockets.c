/* Which sockets the facts hold, of sockets that are made here. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posture/facts.h"

#include "cmocka_all.h"
#include "deny.h"

static struct fact_sockets *sockets;

static int set_up(void **state)
{
    (void)state;
    sockets = calloc(1, sizeof(*sockets));
    return sockets == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(sockets);
    return 0;
}

static struct fact_descriptors others;

static const struct fact_socket *find(int fd)
{
    memset(sockets, 0, sizeof(*sockets));
    memset(&others, 0, sizeof(others));
    facts_sockets(sockets, &others);
    assert_int_equal(sockets->error, 0);
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].fd == fd)
            return &sockets->list[i];
    }
    return NULL;
}

/* ---- sockets on loopback, on a port that the kernel chooses ---- */

static int bound4(int type, int protocol)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type, protocol);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static int listening4(void)
{
    int fd = bound4(SOCK_STREAM, 0);

    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int tcp_bound(void)
{
    return bound4(SOCK_STREAM, 0);
}
static int udp_bound(void)
{
    return bound4(SOCK_DGRAM, 0);
}
static int udp_unbound(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0);
}
/* As a log client has one: it has a port, and hears its server alone. */
static int udp_connected(void)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(514)};
    int fd = udp_bound();

    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
    return fd;
}
static int netlink(void)
{
    struct sockaddr_nl at = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_DGRAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* The kernel chooses the name too, see unix(7). */
static int unix_named(int type)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(sa_family_t)), 0);
    return fd;
}
static int unix_listening(void)
{
    int fd = unix_named(SOCK_STREAM);

    assert_int_equal(listen(fd, 1), 0);
    return fd;
}
static int unix_datagram(void)
{
    return unix_named(SOCK_DGRAM);
}
static int unix_datagram_unnamed(void)
{
    return socket(AF_UNIX, SOCK_DGRAM, 0);
}
static int unix_datagram_connected(void)
{
    struct sockaddr_un peer;
    socklen_t len = sizeof(peer);
    int fd = unix_datagram();
    int server = unix_datagram();

    assert_int_equal(getsockname(server, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, len), 0);
    (void)close(server);
    return fd;
}

static void what_waits_for_strangers(void **state)
{
    static const struct {
        int (*make)(void);
        bool waits;
        int family;
        int protocol;
    } cases[] = {
        {listening4, true, AF_INET, IPPROTO_TCP},
        {tcp_bound, false, 0, 0},
        {udp_bound, true, AF_INET, IPPROTO_UDP},
        {udp_unbound, false, 0, 0},
        {udp_connected, false, 0, 0},
        {netlink, false, 0, 0},
        {unix_listening, true, AF_UNIX, 0},
        {unix_datagram, true, AF_UNIX, 0},
        {unix_datagram_unnamed, false, 0, 0},
        {unix_datagram_connected, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = cases[i].make();
        const struct fact_socket *found = find(fd);

        if ((found != NULL) != cases[i].waits)
            fail_msg("case %zu", i);
        if (found != NULL) {
            assert_int_equal(found->family, cases[i].family);
            assert_int_equal(found->protocol, cases[i].protocol);
        }
        (void)close(fd);
    }
}

static void ipv6_only_is_told(void **state)
{
    (void)state;
    for (int only = 0; only <= 1; only++) {
        struct sockaddr_in6 any = {.sin6_family = AF_INET6};
        int fd = socket(AF_INET6, SOCK_STREAM, 0);

        if (fd < 0 && errno == EAFNOSUPPORT) {
            assert_null(find(-1));
            assert_true(sockets->no_ipv6);
            skip();
        }
        assert_int_equal(
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_non_null(find(fd));
        assert_int_equal(find(fd)->v6_only, only);
        assert_false(sockets->no_ipv6);
        (void)close(fd);
    }
}

static void a_socket_counts_once(void **state)
{
    int fd = listening4();
    int second = dup(fd);

    (void)state;
    assert_non_null(find(fd));
    assert_null(find(second));
    (void)close(fd);
    assert_non_null(find(second));
    (void)close(second);
}

static void what_the_list_cannot_hold_is_counted(void **state)
{
    enum { MORE = 3, ALL = FACTS_SOCKETS_MAX + MORE };
    int fds[ALL];

    (void)state;
    for (size_t i = 0; i < ALL; i++)
        fds[i] = listening4();
    assert_null(find(fds[ALL - 1]));
    assert_int_equal(sockets->count, FACTS_SOCKETS_MAX);
    assert_true(sockets->left_out >= MORE);
    for (size_t i = 0; i < ALL; i++)
        (void)close(fds[i]);
}

static void activation_is_for_one_process(void **state)
{
    char pid[16];
    int fd = listening4();

    (void)state;
    assert_true(fd >= 3);
    (void)snprintf(pid, sizeof(pid), "%d", getpid());
    assert_false(find(fd)->activated);
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "2147483647", 1);
    assert_true(find(fd)->activated);
    (void)snprintf(pid, sizeof(pid), "%d", fd - 3);
    (void)setenv("LISTEN_FDS", pid, 1);
    assert_false(find(fd)->activated);
    (void)setenv("LISTEN_FDS", "2147483647", 1);
    (void)setenv("LISTEN_PID", "1", 1);
    assert_false(find(fd)->activated);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)close(fd);
}

/* The errno that the facts have where one call is refused. */
static int error_without(unsigned call)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (!deny((struct denied_call){.number = call, .any = true}))
            _exit(255);
        facts_sockets(sockets, &others);
        _exit(sockets->error);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_refused_call_is_no_answer(void **state)
{
    int stream = listening4();
    int datagram = udp_bound();

    (void)state;
    assert_int_equal(error_without(SYS_getsockopt), EPERM);
    assert_int_equal(error_without(SYS_getsockname), EPERM);
    assert_int_equal(error_without(SYS_getpeername), EPERM);
    assert_int_equal(error_without(SYS_getdents64), EPERM);
    assert_int_equal(error_without(SYS_getppid), 0);
    (void)close(stream);
    (void)close(datagram);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("sockets", CASE(what_waits_for_strangers), CASE(ipv6_only_is_told),
    CASE(a_socket_counts_once), CASE(what_the_list_cannot_hold_is_counted),
    CASE(activation_is_for_one_process), CASE(a_refused_call_is_no_answer));
