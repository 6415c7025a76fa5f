#include "acme/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acme/failure.h"
#include "cmocka_all.h"

static int ends[2];
static struct channel *relay;
static struct channel *agent;

static int set_up(void **state)
{
    (void)state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    relay = channel_new(ends[0], AGENT_TO_RELAY);
    agent = channel_new(ends[1], AGENT_TO_AGENT);
    return relay == NULL || agent == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    channel_free(relay);
    channel_free(agent);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

/* The largest message, several of them, in order. */
static void there_and_back(void **state)
{
    static char chain[AGENT_CHAIN_MAX];
    struct agent_message want = {.type = AGENT_CERTIFICATE,
        .parts = {LIT("a.b"), LIT("key"), span_of(chain, sizeof(chain))}};
    struct agent_message status = {.type = AGENT_STATUS, .when_s = 7};
    struct agent_message got;

    (void)state;
    memset(chain, 'x', sizeof(chain));
    assert_int_equal(channel_receive(relay, 0, &got), 0);
    assert_int_equal(channel_send(agent, &want), 0);
    assert_int_equal(channel_send(agent, &status), 0);
    assert_int_equal(channel_receive(relay, -1, &got), 1);
    assert_span(got.parts[2], want.parts[2]);
    assert_int_equal(channel_receive(relay, -1, &got), 1);
    assert_int_equal(got.type, AGENT_STATUS);
    assert_int_equal(channel_receive(relay, 0, &got), 0);
}

static void other_end_gone(void **state)
{
    struct agent_message message = {.type = AGENT_RENEW};

    (void)state;
    assert_int_equal(close(ends[1]), 0);
    ends[1] = -1;
    assert_int_equal(channel_send(relay, &message), -EPIPE);
    assert_int_equal(channel_receive(relay, -1, &message), -EPIPE);
}

static void broken(void **state)
{
    const struct span cases[] = {
        LIT("\x02"), LIT("\x01\x05\0\0"),             /* half a message */
        LIT("\x01\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),  /* not to the relay */
        LIT("\x01\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0x"), /* and something more */
    };
    struct agent_message got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(
            send(ends[1], cases[i].ptr, cases[i].len, 0), cases[i].len);
        assert_int_equal(channel_receive(relay, -1, &got), -EBADMSG);
    }
}

static void refused(void **state)
{
    struct agent_message message = {.type = AGENT_FAILURE};

    (void)state;
    assert_int_equal(channel_send(agent, &message), -EINVAL);
}

/* What a failure says always fits a message, and is cut between characters. */
static void failures_fit(void **state)
{
    static char words[4 * AGENT_TEXT_MAX];
    struct failure failure;
    struct agent_message message = {.type = AGENT_FAILURE};

    (void)state;
    for (size_t i = 0; i + 3 < sizeof(words); i += 3)
        memcpy(words + i, "\xe2\x82\xac", 3);
    for (size_t lead = 0; lead < 4; lead++) {
        failure_set(&failure, AGENT_REFUSED, "%.*s%s", (int)lead, "aaa", words);
        message.parts[0] = span_str(failure.text);
        assert_int_equal((message.parts[0].len - lead) % 3, 0);
        assert_true(message.parts[0].len > AGENT_TEXT_MAX - 8);
        assert_int_equal(channel_send(agent, &message), 0);
    }
    failure_set(&failure, AGENT_REFUSED, "%s", "");
    message.parts[0] = span_str(failure.text);
    assert_int_equal(channel_send(agent, &message), 0);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

RUN_TESTS("channel", WITH_PAIR(there_and_back), WITH_PAIR(other_end_gone),
    WITH_PAIR(broken), WITH_PAIR(refused), WITH_PAIR(failures_fit));
