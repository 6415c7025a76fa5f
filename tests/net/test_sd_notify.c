/* What a service manager is told, and where: sd_notify(3). */
#include "net/sd_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmocka_all.h"

enum { SELF = 4711 };

static char where[64]; /* of the manager's socket; unique to this process */
static struct sd_notify n;

/* A manager's socket there; with an @ in front an abstract one. */
static int listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    len += offsetof(struct sockaddr_un, sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)len), 0);
    return fd;
}

static int open_with(const char *socket, const char *usec, const char *pid)
{
    return sd_notify_open(
        &(struct sd_notify_variables){
            .socket = socket, .watchdog_usec = usec, .watchdog_pid = pid},
        SELF, &n);
}

static void expect(int fd, const char *message)
{
    char got[64];
    ssize_t len = recv(fd, got, sizeof(got), 0);

    assert_int_equal(len, strlen(message));
    assert_memory_equal(got, message, strlen(message));
}

static void expect_nothing(int fd)
{
    char got[8];

    assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void messages_arrive_whole(const char *name)
{
    int manager = listen_at(name);

    assert_int_equal(open_with(name, NULL, NULL), 0);
    assert_int_equal(fcntl(n.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(sd_notify_send(&n, "READY=1\nSTATUS=x"), 0);
    expect(manager, "READY=1\nSTATUS=x");
    sd_notify_feed(&n, 1);
    expect_nothing(manager);
    (void)close(manager);
    assert_int_equal(sd_notify_send(&n, "STOPPING=1"), -ECONNREFUSED);
    sd_notify_close(&n);
    sd_notify_close(&n);
}

static void a_path(void **state)
{
    (void)state;
    (void)snprintf(where, sizeof(where), "/tmp/notify.%d", (int)getpid());
    messages_arrive_whole(where);
    assert_int_equal(open_with(where, NULL, NULL), -ECONNREFUSED);
    assert_int_equal(unlink(where), 0);
    assert_int_equal(open_with(where, NULL, NULL), -ENOENT);
    assert_int_equal(n.fd, -1);
}

static void an_abstract_name(void **state)
{
    (void)state;
    (void)snprintf(where, sizeof(where), "@notify.%d", (int)getpid());
    messages_arrive_whole(where);
    assert_int_equal(open_with(where, NULL, NULL), -ECONNREFUSED);
}

static void a_manager_that_does_not_read_costs_no_time(void **state)
{
    int manager = -1;
    int failed = 0;

    (void)state;
    (void)snprintf(where, sizeof(where), "@full.%d", (int)getpid());
    manager = listen_at(where);
    assert_int_equal(open_with(where, NULL, NULL), 0);
    while (failed == 0)
        failed = sd_notify_send(&n, "WATCHDOG=1");
    assert_int_equal(failed, -EAGAIN);
    sd_notify_close(&n);
    (void)close(manager);
}

static void nobody_wants_to_know(void **state)
{
    (void)state;
    assert_int_equal(open_with(NULL, "1000000", NULL), 0);
    assert_int_equal(n.fd, -1);
    assert_int_equal(sd_notify_send(&n, "READY=1"), 0);
    sd_notify_feed(&n, 1);
    assert_int_equal(open_with("", NULL, NULL), 0);
    assert_int_equal(n.fd, -1);
    sd_notify_close(&n);
}

static void what_is_no_socket_name_is_refused(void **state)
{
    static char too_long[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    static const char *const names[] = {
        "relative", "vsock:2:1234", "/", "@", too_long};

    (void)state;
    memset(too_long, '/', sizeof(too_long) - 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(open_with(names[i], NULL, NULL), -EINVAL);
        assert_int_equal(n.fd, -1);
        assert_int_equal(sd_notify_send(&n, "READY=1"), 0);
    }
}

static void the_watchdog_is_fed_at_half_its_time(void **state)
{
    static const struct {
        const char *usec;
        const char *pid;
        int failed;
        uint64_t every_ms;
    } rows[] = {
        {"30000000", NULL, 0, 15000},
        {"30000000", "4711", 0, 15000},
        {"30000000", "4712", 0, 0},
        {"1", NULL, 0, 1},
        {NULL, "4711", 0, 0},
        {"0", NULL, -EINVAL, 0},
        {"-1", NULL, -EINVAL, 0},
        {"1s", NULL, -EINVAL, 0},
        {"30000000", "me", -EINVAL, 0},
    };
    int manager = -1;

    (void)state;
    (void)snprintf(where, sizeof(where), "@dog.%d", (int)getpid());
    manager = listen_at(where);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(
            open_with(where, rows[i].usec, rows[i].pid), rows[i].failed);
        assert_int_equal(n.watchdog_ms, rows[i].every_ms);
        sd_notify_close(&n);
    }
    assert_int_equal(open_with(where, "2000000", NULL), 0);
    sd_notify_feed(&n, 5000);
    expect(manager, "WATCHDOG=1");
    sd_notify_feed(&n, 5999);
    expect_nothing(manager);
    sd_notify_feed(&n, 6000);
    expect(manager, "WATCHDOG=1");
    sd_notify_close(&n);
    (void)close(manager);
}

RUN_TESTS("sd_notify", cmocka_unit_test(a_path),
    cmocka_unit_test(an_abstract_name),
    cmocka_unit_test(a_manager_that_does_not_read_costs_no_time),
    cmocka_unit_test(nobody_wants_to_know),
    cmocka_unit_test(what_is_no_socket_name_is_refused),
    cmocka_unit_test(the_watchdog_is_fed_at_half_its_time));
