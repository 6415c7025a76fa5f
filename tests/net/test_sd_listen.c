/* What a service manager hands over, as sd_listen_fds(3) has it. */
#include "net/sd_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"

enum { SELF = 4711 };

static struct inherited table;

/* A socket of that type at descriptor at. */
static uint16_t put(int at, int type, int backlog)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, type, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    if (backlog > 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    if (fd != at) {
        assert_int_equal(dup2(fd, at), at);
        (void)close(fd);
    }
    return addr.sin_port;
}

static int give(const char *pid, const char *fds, const char *names)
{
    table.count = 0;
    return sd_listen(
        &(struct sd_listen_variables){.pid = pid, .fds = fds, .names = names},
        SELF, &table);
}

static void make_address(
    const char *host, uint16_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    if (strchr(host, ':') == NULL) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        assert_int_equal(inet_pton(AF_INET, host, &v4->sin_addr), 1);
    } else {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        assert_int_equal(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
    }
}

static void each_has_its_name_and_address(void **state)
{
    uint16_t port = put(3, SOCK_STREAM, 8);

    (void)state;
    (void)put(4, SOCK_STREAM, 8);
    assert_int_equal(give("4711", "2", "https-listen:metrics-listen"), 0);
    assert_int_equal(table.count, 2);
    assert_string_equal(table.list[0].name, "https-listen");
    assert_string_equal(table.list[1].name, "metrics-listen");
    assert_int_equal(table.list[0].error, 0);
    assert_int_equal(table.list[0].socket.fd, 3);
    assert_true(table.list[0].socket.lent);
    assert_int_equal(
        ((struct sockaddr_in *)&table.list[0].addr)->sin_port, port);
    assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(3, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    inherited_close(&table);
    assert_int_equal(fcntl(3, F_GETFD), -1);
    assert_int_equal(fcntl(4, F_GETFD), -1);
}

static void what_does_not_listen_is_kept_with_its_error(void **state)
{
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(dup2(pipes[0], 3), 3);
    (void)put(4, SOCK_DGRAM, 0);
    (void)put(5, SOCK_STREAM, 0);
    (void)close(6);
    assert_int_equal(give("4711", "4", "a:b:c:d"), 0);
    assert_int_equal(table.list[0].error, ENOTSOCK);
    assert_int_equal(table.list[1].error, ESOCKTNOSUPPORT);
    assert_int_equal(table.list[2].error, EINVAL);
    assert_int_equal(table.list[3].error, EBADF);
    for (size_t i = 0; i < 4; i++)
        assert_false(inherited_fits(
            &table.list[i], table.list[i].name, &table.list[2].addr));
    inherited_close(&table);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static void names_may_be_absent_empty_or_long(void **state)
{
    (void)state;
    (void)put(3, SOCK_STREAM, 8);
    assert_int_equal(give("4711", "1", NULL), 0);
    assert_string_equal(table.list[0].name, "");
    assert_int_equal(give("4711", "1", ""), 0);
    assert_string_equal(table.list[0].name, "");
    assert_int_equal(
        give("4711", "1", "0123456789012345678901234567890123456789"), 0);
    assert_string_equal(table.list[0].name, "0123456789012345678901234567890");
    inherited_close(&table);
}

static void other_processes_sockets_are_not_ours(void **state)
{
    static const char *const pids[] = {"4712", "", "x", "-4711", NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        assert_int_equal(give(pids[i], "1", "https-listen"), 0);
        assert_int_equal(table.count, 0);
    }
    assert_int_equal(give("4711", NULL, "https-listen"), 0);
    assert_int_equal(table.count, 0);
}

static void what_contradicts_itself_is_refused(void **state)
{
    static const struct {
        const char *fds;
        const char *names;
        int failed;
    } rows[] = {
        {"", "a", -EINVAL},
        {"-1", "a", -EINVAL},
        {"1x", "a", -EINVAL},
        {"99999999999999999999", "a", -EINVAL},
        {"2147483647", "a", -ENFILE},
        {"129", NULL, -ENFILE},
        {"2", "a", -EPROTO},
        {"1", "a:b", -EPROTO},
        {"0", "a", -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(
            give("4711", rows[i].fds, rows[i].names), rows[i].failed);
        assert_int_equal(table.count, 0);
    }
    assert_int_equal(give("4711", "0", NULL), 0);
}

static void the_table_has_an_end(void **state)
{
    (void)state;
    table.count = INHERITED_MAX;
    assert_int_equal(
        inherited_add(&table, (struct listener_socket){.fd = 0}, "x"), -ENFILE);
    assert_int_equal(table.count, INHERITED_MAX);
    table.count = 0;
}

/* Which address stands for which. */
static void an_address_is_compared_whole(void **state)
{
    static const struct {
        const char *held;
        uint16_t held_port;
        const char *wanted;
        uint16_t wanted_port;
        bool fits;
    } rows[] = {
        {"127.0.0.1", 1, "127.0.0.1", 1, true},
        {"127.0.0.1", 1, "127.0.0.1", 2, false},
        {"127.0.0.1", 1, "127.0.0.2", 1, false},
        {"::", 1, "::", 1, true},
        {"::1", 1, "::", 1, false},
        {"::1", 1, "::1", 2, false},
        {"0.0.0.0", 1, "::", 1, true},
        {"0.0.0.0", 1, "::", 2, false},
        {"0.0.0.0", 1, "::1", 1, false},
        {"127.0.0.1", 1, "::", 1, false},
        {"::", 1, "0.0.0.0", 1, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct inherited_socket held = {.name = "n"};
        struct sockaddr_storage wanted = {.ss_family = AF_UNSPEC};

        make_address(rows[i].held, rows[i].held_port, &held.addr);
        make_address(rows[i].wanted, rows[i].wanted_port, &wanted);
        assert_int_equal(inherited_fits(&held, "n", &wanted), rows[i].fits);
        assert_false(inherited_fits(&held, "m", &wanted));
    }
}

RUN_TESTS("sd_listen", cmocka_unit_test(each_has_its_name_and_address),
    cmocka_unit_test(what_does_not_listen_is_kept_with_its_error),
    cmocka_unit_test(names_may_be_absent_empty_or_long),
    cmocka_unit_test(other_processes_sockets_are_not_ours),
    cmocka_unit_test(what_contradicts_itself_is_refused),
    cmocka_unit_test(the_table_has_an_end),
    cmocka_unit_test(an_address_is_compared_whole));
