/* The agent in this process, where leaks are found; and its supervisor. */
#include "acme/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "acme/channel.h"
#include "acme/store.h"
#include "acme/supervisor.h"
#include "cmocka_all.h"
#include "made.h"

#define DOMAIN "relay.example.com"

static char path[64];
static int ends[2];
static struct channel *relay;
static struct agent_config config;

static int set_up(void **state)
{
    (void)state;
    memcpy(path, "/tmp/test_agent.XXXXXX", 23);
    if (mkdtemp(path) == NULL ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    config = (struct agent_config){.domain = DOMAIN,
        .directory_url = "https://127.0.0.1:1/dir", /* nobody is there */
        .user_agent = "test",
        .directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .may = AGENT_MAY_HTTP | AGENT_MAY_TLS_ALPN,
        .policy = schedule_default_policy()};
    relay = channel_new(ends[0], AGENT_TO_RELAY);
    return config.directory < 0 || relay == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {DOMAIN, "acme_account+key"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlinkat(config.directory, names[i], 0);
    channel_free(relay);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(config.directory);
    return rmdir(path);
}

static void send_stop(void)
{
    struct agent_message stop = {.type = AGENT_STOP};

    assert_int_equal(channel_send(relay, &stop), 0);
}

/* The next message is of that type and kind. */
static void assert_next(enum agent_type type, unsigned kind)
{
    struct agent_message message;

    assert_int_equal(channel_receive(relay, 0, &message), 1);
    assert_int_equal(message.type, type);
    assert_int_equal(message.kind, kind);
}

static void put_certificate(int64_t from_s, int64_t to_s)
{
    struct made what = {.domain = DOMAIN, .from_s = from_s, .to_s = to_s};
    OWNED_PEM pem = made_certificate(&what);
    int fd =
        openat(config.directory, DOMAIN, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, pem.text, pem.len), pem.len);
    assert_int_equal(close(fd), 0);
}

static void config_faults(void **state)
{
    struct {
        const char *domain;
        const char *email;
        const char *url;
        unsigned may;
        const char *want;
    } cases[] = {
        {DOMAIN, NULL, "https://ca/dir", AGENT_MAY_HTTP, NULL},
        {DOMAIN, "ops@example.com", "https://ca/dir", AGENT_MAY_TLS_ALPN, NULL},
        {"Relay.example.com", NULL, "https://ca/dir", AGENT_MAY_HTTP, "domain"},
        {"../x", NULL, "https://ca/dir", AGENT_MAY_HTTP, "domain"},
        {DOMAIN, "ops", "https://ca/dir", AGENT_MAY_HTTP, "e-mail"},
        {DOMAIN, "a@b\",\"x", "https://ca/dir", AGENT_MAY_HTTP, "e-mail"},
        {DOMAIN, "a@b,c@d", "https://ca/dir", AGENT_MAY_HTTP, "e-mail"},
        {DOMAIN, NULL, "http://ca/dir", AGENT_MAY_HTTP, "https"},
        {DOMAIN, NULL, "https://ca/dir", 0, "challenge"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = NULL;

        config.domain = cases[i].domain;
        config.email = cases[i].email;
        config.directory_url = cases[i].url;
        config.may = cases[i].may;
        got = agent_config_fault(&config);
        if ((got == NULL) != (cases[i].want == NULL) ||
            (got != NULL && strstr(got, cases[i].want) == NULL))
            fail_msg("case %zu: %s", i, got == NULL ? "no fault" : got);
        if (got != NULL)
            assert_int_equal(agent_run(&config, ends[1]), -EINVAL);
    }
}

static void with_a_certificate(void **state)
{
    int64_t now_s = time(NULL);

    (void)state;
    put_certificate(now_s - 10, now_s + 90 * 86400);
    send_stop();
    assert_int_equal(agent_run(&config, ends[1]), 0);
    assert_next(AGENT_STATUS, AGENT_STARTING);
    assert_next(AGENT_CERTIFICATE, AGENT_CACHED);
    assert_next(AGENT_STATUS, AGENT_IDLE);
}

/* It says stop while the CA is being asked: nothing more is said. */
static void without_a_certificate(void **state)
{
    (void)state;
    put_certificate(time(NULL) - 100, time(NULL) - 10);
    send_stop();
    assert_int_equal(agent_run(&config, ends[1]), 0);
    assert_next(AGENT_STATUS, AGENT_STARTING);
    assert_next(AGENT_STATUS, AGENT_IDLE);
    assert_next(AGENT_STATUS, AGENT_ORDERING);
    assert_int_equal(
        faccessat(config.directory, "acme_account+key", R_OK, 0), 0);
}

static void without_a_relay(void **state)
{
    (void)state;
    assert_int_equal(close(ends[0]), 0);
    ends[0] = -1;
    assert_int_equal(agent_run(&config, ends[1]), 0);
    /* nothing was begun that nobody would hear of */
    assert_int_equal(
        faccessat(config.directory, "acme_account+key", R_OK, 0), -1);
}

/* What the relay says is judged too. */
static void nonsense_from_the_relay(void **state)
{
    (void)state;
    put_certificate(time(NULL) - 10, time(NULL) + 90 * 86400);
    assert_int_equal(send(ends[0], "x", 1, 0), 1);
    assert_int_equal(agent_run(&config, ends[1]), 0);
}

/* The relay that is taken over from, and its agent: this one has the directory
 * until it has renewed the certificate.  0: all was as it must be. */
static int be_the_first(int directory)
{
    struct agent_message message = {.kind = 0};
    bool released = false;

    while (channel_receive(relay, -1, &message) == 1) {
        if (message.type == AGENT_STATUS && message.kind == AGENT_ORDERING)
            return 1;
        if (message.type == AGENT_CERTIFICATE)
            break;
        if (message.type != AGENT_STATUS || message.kind != AGENT_IDLE)
            continue;
        put_certificate(time(NULL) - 10, time(NULL) + 90 * 86400);
        (void)close(directory);
        released = true;
    }
    if (!released || message.type != AGENT_CERTIFICATE ||
        message.kind != AGENT_CACHED)
        return 2;
    send_stop();
    return 0;
}

/* It orders nothing, and then there is nothing to order. */
static void another_agent_is_waited_for(void **state)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = -1;
    pid_t first = 0;

    (void)state;
    assert_int_equal(store_lock(directory), 0);
    first = fork();
    assert_true(first >= 0);
    if (first == 0)
        _exit(be_the_first(directory));
    (void)close(directory);
    assert_int_equal(agent_run(&config, ends[1]), 0);
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_int_equal(status, 0);
    assert_int_equal(
        faccessat(config.directory, "acme_account+key", R_OK, 0), -1);
}

/* One that does not end keeps this one from its work, not from its end. */
static void a_stop_ends_the_wait(void **state)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(store_lock(directory), 0);
    send_stop();
    assert_int_equal(agent_run(&config, ends[1]), 0);
    assert_next(AGENT_STATUS, AGENT_STARTING);
    assert_next(AGENT_STATUS, AGENT_IDLE);
    assert_int_equal(
        faccessat(config.directory, "acme_account+key", R_OK, 0), -1);
    (void)close(directory);
}

static bool refuse(void *ctx)
{
    (void)ctx;
    return false;
}

/* The status of a supervisor, once the channel has ended. */
static int end_of(const struct supervisor_config *what, unsigned *ret_messages)
{
    struct agent_message message = {.type = AGENT_STOP};
    struct channel *channel = NULL;
    pid_t pid = -1;
    int fd = -1;
    int status = -1;

    assert_int_equal(supervisor_start(what, &fd, &pid), 0);
    channel = channel_new(fd, AGENT_TO_RELAY);
    *ret_messages = 0;
    IGNORE(channel_send(channel, &message) < 0, "it may be gone already");
    while (channel_receive(channel, -1, &message) == 1)
        ++*ret_messages;
    channel_free(channel);
    assert_int_equal(close(fd), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void supervised(void **state)
{
    struct supervisor_config what = {.agent = config};
    unsigned messages = 0;

    (void)state;
    put_certificate(time(NULL) - 10, time(NULL) + 90 * 86400);
    assert_int_equal(end_of(&what, &messages), 0);
    assert_true(messages >= 1);
}

/* What cannot confine itself does not run. */
static void not_confined(void **state)
{
    struct supervisor_config what = {.agent = config, .confine = refuse};
    unsigned messages = 0;

    (void)state;
    assert_true(end_of(&what, &messages) != 0);
    assert_int_equal(messages, 0);
    what.agent.may = 0;
    assert_int_equal(
        supervisor_start(&what, &(int){-1}, &(pid_t){-1}), -EINVAL);
}

#define WITH_AGENT(test)                                                       \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

RUN_TESTS("agent", WITH_AGENT(config_faults), WITH_AGENT(with_a_certificate),
    WITH_AGENT(without_a_certificate), WITH_AGENT(without_a_relay),
    WITH_AGENT(nonsense_from_the_relay),
    WITH_AGENT(another_agent_is_waited_for), WITH_AGENT(a_stop_ends_the_wait),
    WITH_AGENT(supervised), WITH_AGENT(not_confined));
