/* What the relay says it will bind is what it then holds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/limits.h"
#include "relay/relay.h"

#include "cmocka_all.h"

static struct config config;
static struct relay relay;

/* Port 0 is none that a flag takes, so one that is free right now. */
static void free_address(char ret[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(ret, 32, "127.0.0.1:%d", ntohs(at.sin_port));
    (void)close(fd);
}

static int port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof(at);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

static int port_in(const char *address)
{
    return (int)strtol(strchr(address, ':') + 1, NULL, 10);
}

static void configure(const char *address, const char *metrics, int threads)
{
    static char words[3][64];
    char *argv[] = {words[0], words[0], words[1], words[2], NULL};

    (void)snprintf(words[0], sizeof(words[0]), "--insecure-listen=%s", address);
    (void)snprintf(words[1], sizeof(words[1]), "--metrics-listen=%s", metrics);
    (void)snprintf(words[2], sizeof(words[2]), "--threads=%d", threads);
    assert_int_equal(config_parse(&config, 4, argv, stderr), CONFIG_RUN);
    assert_int_equal(config.problem_count, 0);
}

static void bind_with(const char *address, const char *metrics, int threads)
{
    configure(address, metrics, threads);
    assert_int_equal(relay_init(&relay, &config), 0);
    assert_true(relay_bind(&relay));
}

static void the_plan_is_what_is_bound(void **state)
{
    struct relay_plan plan[RELAY_LISTENERS];
    char address[32];
    char metrics[32];

    (void)state;
    free_address(address);
    free_address(metrics);
    bind_with(address, metrics, 1);
    assert_int_equal(relay_plan(&config, plan), 2);
    assert_string_equal(plan[0].address, address);
    assert_string_equal(plan[1].address, metrics);
    assert_int_equal(port_of(relay.publics[0].fd), port_in(address));
    assert_int_equal(port_of(relay.metrics_socket.fd), port_in(metrics));
    relay_done(&relay);
}

/* One socket for each worker, of one address; and nobody else gets it, not
 * even a second relay that would share it. */
static void workers_share_an_address(void **state)
{
    static struct relay second;
    char address[32];

    (void)state;
    free_address(address);
    bind_with(address, "", 3);
    assert_int_equal(relay_public_sockets(&relay), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(port_of(relay.publics[i].fd), port_in(address));
    assert_int_equal(relay_init(&second, &config), 0);
    assert_false(relay_bind(&second));
    relay_done(&second);
    relay_done(&relay);
}

static struct inherited inherited;

/* A listening socket of an address, handed over by that name. */
static void hand_over(const char *address, const char *name)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)port_in(address));
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(
        inherited_add(
            &inherited, (struct listener_socket){.fd = fd, .lent = true}, name),
        0);
}

static void bind_inherited(const char *address, const char *metrics)
{
    configure(address, metrics, 2);
    assert_int_equal(relay_init(&relay, &config), 0);
    relay.inherited = &inherited;
    assert_true(relay_bind(&relay));
}

/* Nothing is bound beside what was handed over, be it more or fewer sockets
 * than there are workers. */
static void inherited_sockets_are_all_taken(void **state)
{
    char address[32];
    char metrics[32];

    (void)state;
    for (size_t count = 1; count <= 3; count++) {
        inherited = (struct inherited){.count = 0};
        free_address(address);
        free_address(metrics);
        for (size_t i = 0; i < count; i++)
            hand_over(address, "insecure-listen");
        hand_over(metrics, "metrics-listen");
        bind_inherited(address, metrics);
        assert_int_equal(relay_public_sockets(&relay), count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(port_of(relay.publics[i].fd), port_in(address));
            assert_true(relay.publics[i].lent);
            assert_int_equal(inherited.list[i].socket.fd, -1);
        }
        assert_int_equal(inherited.list[count].socket.fd, -1);
        assert_true(relay.metrics_socket.lent);
        relay_done(&relay);
    }
}

/* What is of another name or address stays for somebody to judge. */
static void others_are_left(void **state)
{
    char address[32];
    char other[32];

    (void)state;
    inherited = (struct inherited){.count = 0};
    free_address(address);
    free_address(other);
    hand_over(other, "insecure-listen");
    hand_over(other, "metrics-listen");
    bind_inherited(address, "");
    assert_int_equal(relay_public_sockets(&relay), 2);
    assert_false(relay.publics[0].lent);
    assert_true(inherited.list[0].socket.fd >= 0);
    assert_true(inherited.list[1].socket.fd >= 0);
    inherited_close(&inherited);
    assert_int_equal(inherited.list[0].socket.fd, -1);
    relay_done(&relay);
}

static void metrics_can_be_off(void **state)
{
    struct relay_plan plan[RELAY_LISTENERS];

    (void)state;
    configure(":8080", "", 1);
    assert_int_equal(relay_plan(&config, plan), 1);
    assert_string_equal(plan[0].address, ":8080");
    assert_string_equal(plan[0].label, "--insecure-listen");
}

/* What a flag takes, the relay starts with. */
static void the_largest_budget_is_one(void **state)
{
    char most[64];
    char *argv[] = {(char *)(uintptr_t) "relay",
        (char *)(uintptr_t) "--insecure-listen=127.0.0.1:1", most,
        (char *)(uintptr_t) "--threads=1"};

    (void)state;
    (void)snprintf(most, sizeof(most), "--max-connections=%d", LIMIT_COUNT);
    assert_int_equal(config_parse(&config, 4, argv, stderr), CONFIG_RUN);
    assert_int_equal(config.problem_count, 0);
    assert_int_equal(relay_init(&relay, &config), 0);
    relay_done(&relay);
}

RUN_TESTS("relay", cmocka_unit_test(the_plan_is_what_is_bound),
    cmocka_unit_test(workers_share_an_address),
    cmocka_unit_test(inherited_sockets_are_all_taken),
    cmocka_unit_test(others_are_left), cmocka_unit_test(metrics_can_be_off),
    cmocka_unit_test(the_largest_budget_is_one));
