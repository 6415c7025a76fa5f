/* What the relay does with each message of its certificate agent, and with
 * what is none.  The test is the agent, on the other end of the channel. */
#include "relay/agent_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/certificates.h"
#include "relay/relay.h"
#include "wire/http_head.h"

#include "pem_text.h"

#include "cmocka_all.h"

enum { SHARDS = 2 };

#define DOMAIN "relay.example.com"

static struct config config;
static struct relay relay;
static int agent; /* the test's end */

static int set_up(void **state)
{
    static char words[3][64];
    char *argv[] = {words[0], words[0], words[1], words[2], NULL};
    int ends[2];

    (void)state;
    (void)snprintf(words[0], sizeof(words[0]), "--domain=" DOMAIN);
    (void)snprintf(words[1], sizeof(words[1]), "--metrics-listen=");
    (void)snprintf(words[2], sizeof(words[2]), "--threads=%d", SHARDS);
    assert_int_equal(config_parse(&config, 4, argv, stderr), CONFIG_RUN);
    assert_int_equal(relay_init(&relay, &config), 0);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(agent_link_open(&relay, ends[0]), 0);
    agent = ends[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    relay_done(&relay);
    (void)close(agent);
    return 0;
}

/* One round of the control shard. */
static void turn(void)
{
    worker_run_once(&relay.control.worker);
}

static void say(const struct agent_message *message)
{
    static uint8_t bytes[AGENT_MESSAGE_MAX];
    size_t len = agent_message_encode(message, bytes, sizeof(bytes));

    assert_true(len > 0);
    assert_int_equal(send(agent, bytes, len, MSG_NOSIGNAL), len);
    turn();
}

/* The name that the relay says it presents; "": it has said nothing. */
static const char *answer(void)
{
    static char name[AGENT_NAME_MAX + 1];
    uint8_t bytes[512];
    struct agent_message message;
    ssize_t got = recv(agent, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (got <= 0)
        return "";
    assert_int_equal(agent_message_parse(
                         span_of(bytes, (size_t)got), AGENT_TO_AGENT, &message),
        AGENT_MESSAGE_OK);
    assert_int_equal(message.type, AGENT_PRESENTED);
    memcpy(name, message.parts[0].ptr, message.parts[0].len);
    name[message.parts[0].len] = '\0';
    return name;
}

static void present_tls(const struct pem_text *text)
{
    say(&(struct agent_message){.type = AGENT_PRESENT_TLS,
        .parts = {
            span_str(DOMAIN), span_str(text->key), span_str(text->chain)}});
}

static void deliver_all(void)
{
    for (size_t i = 0; i < SHARDS; i++)
        mailbox_deliver(&relay.shards[i].mailbox);
    mailbox_deliver(&relay.control.mailbox);
}

static const struct tls_identity *challenge_of(size_t shard)
{
    return relay.shards[shard].identities[TLS_USE_CHALLENGE];
}

static void a_challenge_is_answered_once_all_show_it(void **state)
{
    struct pem_text text = pem_text_new(DOMAIN);

    (void)state;
    relay.serving = true;
    present_tls(&text);
    mailbox_deliver(&relay.shards[0].mailbox);
    mailbox_deliver(&relay.control.mailbox);
    assert_string_equal(answer(), "");
    deliver_all();
    assert_string_equal(answer(), DOMAIN);
    assert_non_null(challenge_of(0));
    say(&(struct agent_message){
        .type = AGENT_WITHDRAW, .parts = {span_str(DOMAIN)}});
    deliver_all();
    assert_null(challenge_of(0));
    assert_null(challenge_of(1));
    assert_string_equal(answer(), "");
    pem_text_free(&text);
}

static void what_is_withdrawn_meanwhile_is_not_answered(void **state)
{
    struct pem_text text = pem_text_new(DOMAIN);

    (void)state;
    relay.serving = true;
    present_tls(&text);
    say(&(struct agent_message){
        .type = AGENT_WITHDRAW, .parts = {span_str(DOMAIN)}});
    deliver_all();
    assert_string_equal(answer(), "");
    assert_null(challenge_of(0));

    /* The second of two is answered when it is shown, not with the first. */
    present_tls(&text);
    mailbox_deliver(&relay.shards[0].mailbox);
    mailbox_deliver(&relay.shards[1].mailbox);
    present_tls(&text);
    mailbox_deliver(&relay.control.mailbox);
    assert_string_equal(answer(), "");
    deliver_all();
    assert_string_equal(answer(), DOMAIN);
    assert_string_equal(answer(), "");
    pem_text_free(&text);
}

static unsigned asked(const char *token)
{
    char text[256];
    static struct http_head head;
    struct span body;
    size_t len = 0;

    (void)snprintf(text, sizeof(text),
        "GET /.well-known/acme-challenge/%s HTTP/1.1\r\nHost: " DOMAIN
        "\r\n\r\n",
        token);
    len = strlen(text);
    assert_int_equal(
        http_head_parse(span_of(text, len), sizeof(text), &head), HTTP_OK);
    return challenges_answer(&relay.challenges, DOMAIN, &head, &body);
}

static void an_http_challenge_is_answered_at_once(void **state)
{
    const struct agent_message present = {.type = AGENT_PRESENT_HTTP,
        .parts = {span_str("token"), span_str("token.thumb")}};

    (void)state;
    say(&present);
    assert_string_equal(answer(), "token");
    assert_int_equal(asked("token"), 200);
    say(&(struct agent_message){
        .type = AGENT_WITHDRAW, .parts = {span_str("token")}});
    assert_int_equal(asked("token"), 404);
    /* A new agent knows nothing of what the last one had presented. */
    say(&present);
    say(&(struct agent_message){.type = AGENT_STATUS, .kind = AGENT_STARTING});
    assert_int_equal(asked("token"), 404);
}

static bool is_in_scratch(const char *text)
{
    return memmem(relay.control.worker.scratch, WORKER_SCRATCH_LEN, text,
               strlen(text)) != NULL;
}

static void certificate(
    const struct pem_text *text, const char *domain, enum agent_source source)
{
    say(&(struct agent_message){.type = AGENT_CERTIFICATE,
        .kind = (uint8_t)source,
        .when_s = 1,
        .parts = {
            span_str(domain), span_str(text->key), span_str(text->chain)}});
}

static void certificates_are_installed_and_their_keys_wiped(void **state)
{
    struct pem_text text = pem_text_new(DOMAIN);

    (void)state;
    certificate(&text, DOMAIN, AGENT_CACHED);
    assert_true(relay.certificate_expires_s > 0);
    assert_int_equal(relay.agent.issued_s, 0);
    assert_non_null(relay.shards[1].identities[TLS_USE_HTTP]);
    assert_null(relay.shards[1].identities[TLS_USE_RSA]);
    assert_false(is_in_scratch("PRIVATE KEY"));
    certificate(&text, DOMAIN, AGENT_CACHED_RSA);
    assert_non_null(relay.shards[1].identities[TLS_USE_RSA]);
    certificate(&text, DOMAIN, AGENT_ISSUED);
    assert_true(relay.agent.issued_s > 0);
    assert_true(relay.agent.is_open);
    pem_text_free(&text);
}

static void failures_are_counted_by_their_kind(void **state)
{
    static const enum metric metrics[] = {
        [AGENT_NETWORK] = METRIC_ORDER_NETWORK,
        [AGENT_UNTRUSTED] = METRIC_ORDER_UNTRUSTED,
        [AGENT_PROTOCOL] = METRIC_ORDER_PROTOCOL,
        [AGENT_RATE_LIMITED] = METRIC_ORDER_RATE_LIMITED,
        [AGENT_CHALLENGE] = METRIC_ORDER_CHALLENGE,
        [AGENT_REFUSED] = METRIC_ORDER_REFUSED,
        [AGENT_BAD_CERTIFICATE] = METRIC_ORDER_BAD_CERTIFICATE,
        [AGENT_STORE] = METRIC_ORDER_STORE,
        [AGENT_INTERNAL] = METRIC_ORDER_INTERNAL,
        [AGENT_DIED] = METRIC_ORDER_DIED,
    };

    (void)state;
    for (uint8_t kind = AGENT_NETWORK; kind <= AGENT_DIED; kind++) {
        say(&(struct agent_message){.type = AGENT_FAILURE,
            .kind = kind,
            .when_s = 1000U + kind,
            .parts = {span_str("the CA's \x1b[31m words")}});
        assert_int_equal(relay_sum(&relay)->values[metrics[kind]], 1);
        assert_int_equal(relay.agent.next_try_s, 1000 + kind);
    }
    /* No time is a time that it cannot be. */
    say(&(struct agent_message){
        .type = AGENT_STATUS, .kind = AGENT_IDLE, .when_s = UINT64_MAX});
    assert_int_equal(relay.agent.next_try_s, 0);
    say(&(struct agent_message){
        .type = AGENT_STATUS, .kind = AGENT_IDLE, .when_s = 5000});
    assert_int_equal(relay.agent.next_try_s, 5000);
    assert_true(relay.agent.is_open);
}

/* It is closed, and what is served is served on. */
static void expect_lost(void)
{
    char byte = 0;

    turn();
    assert_false(relay.agent.is_open);
    assert_false(relay.awaiting);
    assert_int_equal(relay.agent.next_try_s, 0);
    assert_non_null(relay.shards[0].identities[TLS_USE_HTTP]);
    assert_true(recv(agent, &byte, 1, MSG_DONTWAIT) <= 0);
}

enum breach {
    GARBAGE,
    CUT,
    TWO_AT_ONCE,
    OTHER_DIRECTION,
    OTHER_DOMAIN,
    CHALLENGE_OF_OTHER_DOMAIN,
    THE_END,
    BREACHES
};

static void break_the_protocol(enum breach breach, const struct pem_text *text)
{
    static uint8_t bytes[2 * AGENT_MESSAGE_MAX];
    const struct agent_message idle = {
        .type = AGENT_STATUS, .kind = AGENT_IDLE};
    const struct agent_message stop = {.type = AGENT_STOP};
    size_t len = agent_message_encode(
        breach == OTHER_DIRECTION ? &stop : &idle, bytes, AGENT_MESSAGE_MAX);

    switch (breach) {
    case GARBAGE:
        memset(bytes, 0xff, sizeof(bytes));
        len = AGENT_MESSAGE_MAX + 1;
        break;
    case CUT:
        len--;
        break;
    case TWO_AT_ONCE:
        memcpy(bytes + len, bytes, len);
        len *= 2;
        break;
    case OTHER_DIRECTION:
        break;
    case OTHER_DOMAIN:
        certificate(text, "other.example.com", AGENT_ISSUED);
        return;
    case CHALLENGE_OF_OTHER_DOMAIN:
        say(&(struct agent_message){.type = AGENT_PRESENT_TLS,
            .parts = {span_str("other.example.com"), span_str(text->key),
                span_str(text->chain)}});
        return;
    case THE_END:
    case BREACHES:
        (void)shutdown(agent, SHUT_RDWR);
        return;
    }
    assert_int_equal(send(agent, bytes, len, MSG_NOSIGNAL), len);
}

static void what_is_no_message_ends_the_channel_alone(void **state)
{
    struct pem_text text = pem_text_new(DOMAIN);

    (void)state;
    for (int breach = 0; breach < BREACHES; breach++) {
        if (breach > 0) {
            (void)tear_down(NULL);
            (void)set_up(NULL);
        }
        certificate(&text, DOMAIN, AGENT_CACHED);
        say(&(struct agent_message){
            .type = AGENT_STATUS, .kind = AGENT_IDLE, .when_s = 5000});
        break_the_protocol((enum breach)breach, &text);
        expect_lost();
    }
    pem_text_free(&text);
}

static void what_is_under_way_at_the_end_is_freed(void **state)
{
    struct pem_text text = pem_text_new(DOMAIN);

    (void)state;
    relay.serving = true;
    present_tls(&text);
    pem_text_free(&text);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("agent_link", CASE(a_challenge_is_answered_once_all_show_it),
    CASE(what_is_withdrawn_meanwhile_is_not_answered),
    CASE(an_http_challenge_is_answered_at_once),
    CASE(certificates_are_installed_and_their_keys_wiped),
    CASE(failures_are_counted_by_their_kind),
    CASE(what_is_no_message_ends_the_channel_alone),
    CASE(what_is_under_way_at_the_end_is_freed));
