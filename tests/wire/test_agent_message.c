#include "wire/agent_message.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static uint8_t buf[AGENT_MESSAGE_MAX];
static uint8_t long_text[AGENT_CHAIN_MAX + 1];

static const struct agent_message samples[] = {
    {.type = AGENT_PRESENT_HTTP,
        .parts = {{(const uint8_t *)"tok", 3}, {(const uint8_t *)"tok.th", 6}}},
    {.type = AGENT_PRESENT_TLS,
        .parts = {{(const uint8_t *)"a.example", 9},
            {(const uint8_t *)"key\n", 4}, {(const uint8_t *)"cert\n", 5}}},
    {.type = AGENT_WITHDRAW, .parts = {{(const uint8_t *)"tok", 3}}},
    {.type = AGENT_CERTIFICATE,
        .kind = AGENT_ISSUED,
        .when_s = 0x123456789aULL,
        .parts = {{(const uint8_t *)"a.example", 9},
            {(const uint8_t *)"key\n", 4}, {(const uint8_t *)"chain\r\n", 7}}},
    {.type = AGENT_FAILURE,
        .kind = AGENT_RATE_LIMITED,
        .when_s = 7,
        .parts = {{(const uint8_t *)"\xff\n", 2}}},
    {.type = AGENT_STATUS, .kind = AGENT_ORDERING},
    {.type = AGENT_PRESENTED, .parts = {{(const uint8_t *)"tok", 3}}},
    {.type = AGENT_RENEW},
    {.type = AGENT_STOP},
};

static enum agent_direction direction_of(enum agent_type type)
{
    return type >= AGENT_PRESENTED ? AGENT_TO_AGENT : AGENT_TO_RELAY;
}

/* Parse a copy that ends where its heap block does. */
static enum agent_message_status parse(
    struct span in, enum agent_direction direction)
{
    uint8_t *exact = malloc(in.len + (in.len == 0));
    enum agent_message_status status = AGENT_MESSAGE_OK;
    struct agent_message message;

    assert_non_null(exact);
    memcpy(exact, in.ptr, in.len);
    status = agent_message_parse(span_of(exact, in.len), direction, &message);
    free(exact);
    return status;
}

static void there_and_back(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(samples), AGENT_TYPE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct agent_message *want = &samples[i];
        size_t len = agent_message_encode(want, buf, sizeof(buf));
        struct agent_message got;

        assert_int_equal(want->type, i);
        assert_true(len >= AGENT_HEAD_LEN);
        assert_int_equal(agent_message_parse(span_of(buf, sizeof(buf)),
                             direction_of(want->type), &got),
            AGENT_MESSAGE_OK);
        assert_int_equal(got.len, len);
        assert_int_equal(got.type, want->type);
        assert_int_equal(got.kind, want->kind);
        assert_true(got.when_s == want->when_s);
        for (size_t k = 0; k < AGENT_PARTS_MAX; k++)
            assert_span(got.parts[k], want->parts[k]);
    }
}

/* Every prefix needs more; a message of the other direction is refused. */
static void any_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        enum agent_direction direction = direction_of(samples[i].type);
        size_t len = agent_message_encode(&samples[i], buf, sizeof(buf));

        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(
                parse(span_of(buf, cut), direction), AGENT_MESSAGE_MORE);
        assert_int_equal(parse(span_of(buf, len), direction), AGENT_MESSAGE_OK);
        assert_int_equal(
            parse(span_of(buf, len),
                direction == AGENT_TO_AGENT ? AGENT_TO_RELAY : AGENT_TO_AGENT),
            AGENT_MESSAGE_BAD);
    }
}

static void malformed(void **state)
{
    const struct span cases[] = {
        LIT("\x00"),
        LIT("\x02"),
        LIT("\x01\x03"), /* wrong direction */
        LIT("\x01\x09"), /* unknown type */
        LIT("\x01\xff"),
        LIT("\x01\x07\x01"),   /* a kind where there is none */
        LIT("\x01\x07\0\x01"), /* not zero */
        LIT("\x01\x07\0\0\0\0\0\x01\0\0\0\0\0\0\0\0"),             /* a body */
        LIT("\x01\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),             /* a time */
        LIT("\x01\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),               /* no part */
        LIT("\x01\x06\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0"),     /* empty */
        LIT("\x01\x06\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x02x"),  /* short */
        LIT("\x01\x06\0\0\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x01xx"), /* rest */
        LIT("\x01\x06\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\xff\xff\xff\xffx"),
        LIT("\x01\x06\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x01\n"),
        LIT("\x01\x06\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x01\0"),
        LIT("\x01\x06\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (parse(cases[i], AGENT_TO_AGENT) != AGENT_MESSAGE_BAD)
            fail_msg("case %zu is not refused", i);
    }
}

static void limits_of_the_encoder(void **state)
{
    struct span text = span_of(long_text, 1);
    struct agent_message largest = {.type = AGENT_CERTIFICATE,
        .parts = {span_of(long_text, AGENT_NAME_MAX),
            span_of(long_text, AGENT_KEY_PEM_MAX),
            span_of(long_text, AGENT_CHAIN_MAX)}};
    const struct agent_message bad[] = {
        {.type = AGENT_RENEW, .kind = 1},
        {.type = AGENT_RENEW, .when_s = 1},
        {.type = AGENT_STATUS, .kind = AGENT_STATE_COUNT},
        {.type = AGENT_PRESENTED},
        {.type = AGENT_PRESENTED, .parts = {LIT("a b")}},
        {.type = AGENT_PRESENTED,
            .parts = {span_of(long_text, AGENT_NAME_MAX + 1)}},
        {.type = AGENT_CERTIFICATE,
            .parts = {text, text, span_of(long_text, AGENT_CHAIN_MAX + 1)}},
        {.type = AGENT_FAILURE,
            .parts = {span_of(long_text, AGENT_TEXT_MAX + 1)}},
    };

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    assert_int_equal(
        agent_message_encode(&largest, buf, sizeof(buf)), AGENT_MESSAGE_MAX);
    assert_int_equal(
        parse(span_of(buf, sizeof(buf)), AGENT_TO_RELAY), AGENT_MESSAGE_OK);
    assert_int_equal(agent_message_encode(&largest, buf, sizeof(buf) - 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(agent_message_encode(&bad[i], buf, sizeof(buf)), 0);
}

static void names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AGENT_FAILURE_COUNT; i++)
        assert_true(strlen(agent_failure_name((enum agent_failure)i)) > 0);
    assert_string_equal(agent_failure_name(AGENT_UNTRUSTED), "untrusted");
    assert_string_equal(agent_source_name(AGENT_CACHED), "cached");
    assert_string_equal(agent_state_name(AGENT_ORDERING), "ordering");
}

RUN_TESTS("agent_message", cmocka_unit_test(there_and_back),
    cmocka_unit_test(any_cut), cmocka_unit_test(malformed),
    cmocka_unit_test(limits_of_the_encoder), cmocka_unit_test(names));
