#include "wire/push_wake.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static uint8_t token[PUSH_TOKEN_MAX];

/* Parse a copy that ends where its heap block does. */
static enum push_wake_status parse(struct span in, struct span *ret)
{
    uint8_t *exact = malloc(in.len + (in.len == 0));
    enum push_wake_status status = PUSH_WAKE_OK;

    assert_non_null(exact);
    memcpy(exact, in.ptr, in.len);
    status = push_wake_parse(span_of(exact, in.len), token, ret);
    free(exact);
    return status;
}

static void tokens(void **state)
{
    static const struct {
        const char *in;
        const char *token;
    } cases[] = {
        {"{\"platform\":\"fcm\",\"token\":\"abc:D-_\"}", "abc:D-_"},
        {" {\"TOKEN\":\"t\" , \"PlatForm\":\"fcm\"} ", "t"},
        {"{\"platform\":\"\\u0066cm\",\"token\":\"\\u0041\\n\\/\"}", "A\n/"},
        {"{\"platform\":\"fcm\",\"token\":\"a\",\"token\":\"b\"}", "b"},
        {"{\"platform\":\"fcm\",\"token\":\"a\",\"token\":null}", "a"},
        {"{\"platform\":\"fcm\",\"token\":\"t\",\"x\":[{}]}", "t"},
        {"{\"platform\":\"fcm\",\"token\":\"\\ud83d\\ude42\"}",
            "\xf0\x9f\x99\x82"},
        {"{\"platform\":\"fcm\",\"token\":\"\\ud83d!\\udc00\"}",
            "\xef\xbf\xbd!\xef\xbf\xbd"},
        {"{\"platform\":\"fcm\",\"token\":\"\xed\x9f\xbf\"}", "\xed\x9f\xbf"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span got;

        assert_int_equal(parse(span_str(cases[i].in), &got), PUSH_WAKE_OK);
        assert_span(got, span_str(cases[i].token));
    }
}

static void refusals(void **state)
{
    static const struct {
        const char *in;
        enum push_wake_status want;
    } cases[] = {
        {"1", PUSH_WAKE_MALFORMED},
        {"\"fcm\"", PUSH_WAKE_MALFORMED},
        {"[]", PUSH_WAKE_MALFORMED},
        {"true", PUSH_WAKE_MALFORMED},
        {"{\"platform\":1,\"token\":\"t\"}", PUSH_WAKE_MALFORMED},
        {"{\"platform\":\"fcm\",\"token\":{}}", PUSH_WAKE_MALFORMED},
        {"{\"platform\":\"fcm\",\"token\":[\"t\"]}", PUSH_WAKE_MALFORMED},
        {"{\"platform\":\"fcm\",\"token\":\"t\",\"token\":false}",
            PUSH_WAKE_MALFORMED},
        {"{}", PUSH_WAKE_BAD_PLATFORM},
        {"{\"token\":\"t\"}", PUSH_WAKE_BAD_PLATFORM},
        {"{\"platform\":\"FCM\",\"token\":\"t\"}", PUSH_WAKE_BAD_PLATFORM},
        {"{\"platform\":\"fcm \",\"token\":\"t\"}", PUSH_WAKE_BAD_PLATFORM},
        {"{\"platform\":\"apns\"}", PUSH_WAKE_BAD_PLATFORM},
        {"{\"platform\":null,\"token\":\"t\"}", PUSH_WAKE_BAD_PLATFORM},
        {"{\"platform\":\"fcm\"}", PUSH_WAKE_NO_TOKEN},
        {"{\"platform\":\"fcm\",\"token\":\"\"}", PUSH_WAKE_NO_TOKEN},
        {"{\"platform\":\"fcm\",\"token\":null}", PUSH_WAKE_NO_TOKEN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span got;

        assert_int_equal(parse(span_str(cases[i].in), &got), cases[i].want);
    }
}

static enum push_wake_status parse_filled(size_t len, const char *unit)
{
    static const char head[] = "{\"platform\":\"fcm\",\"token\":\"";
    size_t unit_len = strlen(unit);
    char *in = malloc(sizeof(head) + len * unit_len + 2);
    size_t at = sizeof(head) - 1;
    enum push_wake_status status = PUSH_WAKE_OK;
    struct span got = span_of(NULL, 0);

    assert_non_null(in);
    memcpy(in, head, at);
    for (size_t i = 0; i < len; i++, at += unit_len)
        memcpy(in + at, unit, unit_len);
    memcpy(in + at, "\"}", 2);
    status = parse(span_of(in, at + 2), &got);
    assert_true(status != PUSH_WAKE_OK || got.len == len);
    free(in);
    return status;
}

/* The limit is of the plain text, whatever its escapes. */
static void the_longest_token(void **state)
{
    (void)state;
    assert_int_equal(parse_filled(PUSH_TOKEN_MAX, "x"), PUSH_WAKE_OK);
    assert_int_equal(parse_filled(PUSH_TOKEN_MAX, "\\u0041"), PUSH_WAKE_OK);
    assert_int_equal(
        parse_filled(PUSH_TOKEN_MAX + 1, "x"), PUSH_WAKE_LONG_TOKEN);
    assert_int_equal(parse_filled(260000, "x"), PUSH_WAKE_LONG_TOKEN);
}

static void every_status_has_a_text(void **state)
{
    (void)state;
    for (unsigned i = PUSH_WAKE_MALFORMED; i <= PUSH_WAKE_LONG_TOKEN; i++) {
        assert_memory_equal(
            push_wake_text((enum push_wake_status)i), "relay: ", 7);
    }
}

RUN_TESTS("push_wake", cmocka_unit_test(tokens), cmocka_unit_test(refusals),
    cmocka_unit_test(the_longest_token),
    cmocka_unit_test(every_status_has_a_text));
