/* What the relay says it will bind is what it then holds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/relay.h"

#include "cmocka_all.h"

static struct config config;
static struct relay relay;

static void set_text(enum config_flag flag, const char *text)
{
    config.text[flag] = text;
}

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

static void the_plan_is_what_is_bound(void **state)
{
    struct relay_plan plan[RELAY_LISTENERS];
    char address[32];
    char metrics[32];
    size_t count = 0;

    (void)state;
    free_address(address);
    free_address(metrics);
    config.insecure = true;
    set_text(CONFIG_INSECURE_LISTEN, address);
    set_text(CONFIG_METRICS_LISTEN, metrics);
    assert_int_equal(relay_init(&relay, &config), 0);
    assert_true(relay_bind(&relay));
    count = relay_plan(&config, plan);
    for (size_t i = 0; i < RELAY_LISTENERS; i++) {
        assert_int_equal(relay.sockets[i].fd >= 0, i < count);
        if (i < count)
            assert_string_equal(relay.sockets[i].address, plan[i].address);
    }
    assert_int_equal(count, 2);
    relay_done(&relay);
}

static void metrics_can_be_off(void **state)
{
    struct relay_plan plan[RELAY_LISTENERS];

    (void)state;
    config.insecure = true;
    set_text(CONFIG_INSECURE_LISTEN, ":8080");
    set_text(CONFIG_METRICS_LISTEN, "");
    assert_int_equal(relay_plan(&config, plan), 1);
    assert_string_equal(plan[0].address, ":8080");
    assert_string_equal(plan[0].label, "--insecure-listen");
}

RUN_TESTS("relay", cmocka_unit_test(the_plan_is_what_is_bound),
    cmocka_unit_test(metrics_can_be_off));
