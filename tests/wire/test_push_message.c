#include "wire/push_message.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static uint8_t buf[PUSH_MESSAGE_MAX];
static uint8_t long_text[PUSH_TOKEN_MAX + 1];

static const struct push_message samples[] = {
    {.type = PUSH_STARTED},
    {.type = PUSH_RESULT,
        .outcome = PUSH_TOKEN_FETCH_FAILED,
        .requests = 4,
        .id = 0x12345678,
        .text = {(const uint8_t *)"relay: no", 9}},
    {.type = PUSH_DIED, .text = {(const uint8_t *)"killed", 6}},
    {.type = PUSH_SEND,
        .id = UINT32_MAX,
        .text = {(const uint8_t *)"\0\xff tok", 6}},
    {.type = PUSH_STOP},
};

static enum push_direction direction_of(enum push_type type)
{
    return type >= PUSH_SEND ? PUSH_TO_PROCESS : PUSH_TO_RELAY;
}

/* Parse a copy that ends where its heap block does. */
static bool parse(struct span in, enum push_direction direction)
{
    uint8_t *exact = malloc(in.len + (in.len == 0));
    struct push_message message;
    bool is_good = false;

    assert_non_null(exact);
    memcpy(exact, in.ptr, in.len);
    is_good = push_message_parse(span_of(exact, in.len), direction, &message);
    free(exact);
    return is_good;
}

static void there_and_back(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(samples), PUSH_TYPE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct push_message *want = &samples[i];
        size_t len = push_message_encode(want, buf, sizeof(buf));
        enum push_direction to = direction_of(want->type);
        struct push_message got;

        assert_int_equal(want->type, i);
        assert_int_equal(len, PUSH_HEAD_LEN + want->text.len);
        assert_true(push_message_parse(span_of(buf, len), to, &got));
        assert_int_equal(got.type, want->type);
        assert_int_equal(got.outcome, want->outcome);
        assert_int_equal(got.requests, want->requests);
        assert_true(got.id == want->id);
        assert_span(got.text, want->text);
        assert_false(parse(span_of(buf, len),
            to == PUSH_TO_RELAY ? PUSH_TO_PROCESS : PUSH_TO_RELAY));
        for (size_t cut = 0; cut < PUSH_HEAD_LEN; cut++)
            assert_false(parse(span_of(buf, cut), to));
    }
}

static void malformed(void **state)
{
    static const struct {
        struct span in;
        enum push_direction direction;
    } cases[] = {
        {{(const uint8_t *)"\0\0\0\0\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\2\0\0\0\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\5\0\0\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\xff\0\0\0\0\0\0", 8}, PUSH_TO_PROCESS},
        /* started: with an outcome, requests, an id, a text */
        {{(const uint8_t *)"\1\0\1\0\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\0\0\1\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\0\0\0\0\0\0\1", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\0\0\0\0\0\0\0x", 9}, PUSH_TO_RELAY},
        /* result: without an id, an unknown outcome, a text with a newline */
        {{(const uint8_t *)"\1\1\0\0\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\1\4\0\0\0\0\1", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\1\0\0\0\0\0\1\n", 9}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\1\0\0\0\0\0\1\x7f", 9}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\1\0\0\0\0\0\1\xc3\xa4", 10}, PUSH_TO_RELAY},
        /* died: without a text; send: without a token, without an id */
        {{(const uint8_t *)"\1\2\0\0\0\0\0\0", 8}, PUSH_TO_RELAY},
        {{(const uint8_t *)"\1\3\0\0\0\0\0\1", 8}, PUSH_TO_PROCESS},
        {{(const uint8_t *)"\1\3\0\0\0\0\0\0t", 9}, PUSH_TO_PROCESS},
        {{(const uint8_t *)"\1\3\0\1\0\0\0\1t", 9}, PUSH_TO_PROCESS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (parse(cases[i].in, cases[i].direction))
            fail_msg("case %zu is not refused", i);
    }
}

static void limits(void **state)
{
    static const struct {
        enum push_type type;
        size_t most;
    } cases[] = {
        {PUSH_RESULT, PUSH_TEXT_MAX},
        {PUSH_DIED, PUSH_TEXT_MAX},
        {PUSH_SEND, PUSH_TOKEN_MAX},
    };

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct push_message m = {.type = cases[i].type,
            .id = cases[i].type == PUSH_DIED ? 0 : 1,
            .text = span_of(long_text, cases[i].most)};
        size_t len = push_message_encode(&m, buf, sizeof(buf));

        assert_int_equal(len, PUSH_HEAD_LEN + cases[i].most);
        assert_int_equal(push_message_encode(&m, buf, len), len);
        assert_int_equal(push_message_encode(&m, buf, len - 1), 0);
        assert_true(parse(span_of(buf, len), direction_of(m.type)));
        m.text.len++;
        assert_int_equal(push_message_encode(&m, buf, sizeof(buf)), 0);
    }
    /* one byte more than the encoder would write */
    uint8_t over[PUSH_MESSAGE_MAX + 1] = {1, PUSH_SEND, 0, 0, 0, 0, 0, 1};

    assert_false(parse(span_of(over, sizeof(over)), PUSH_TO_PROCESS));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(push_outcome_name(PUSH_SENT), "sent");
    assert_string_equal(
        push_outcome_name(PUSH_TOKEN_FETCH_FAILED), "token_fetch_failed");
}

RUN_TESTS("push_message", cmocka_unit_test(there_and_back),
    cmocka_unit_test(malformed), cmocka_unit_test(limits),
    cmocka_unit_test(names));
