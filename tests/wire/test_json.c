#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static void accepts_rfc_8259(void **state)
{
    const struct span cases[] = {LIT("0"), LIT("-0"), LIT("10.5e+3"),
        LIT("1E-2"), LIT(" \t\r\nnull "), LIT("true"), LIT("false"),
        LIT("\"\""), LIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Ff\""),
        LIT("\"\x7f\""), LIT("[]"), LIT("[[],[ ]]"), LIT("{}"),
        LIT("{\"a\":{\"b\":[1,2]}}"), LIT("{\"a\":1,\"a\":2}"),
        LIT("\"\\ud800\""), LIT("\"\xe2\x82\xac\"")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!json_valid(cases[i]))
            fail_msg("case %zu", i);
}

static void refuses_all_else(void **state)
{
    const struct span cases[] = {LIT(""), LIT(" "), LIT("01"), LIT("-"),
        LIT("1."), LIT(".5"), LIT("1e"), LIT("+1"), LIT("1 2"), LIT("nul"),
        LIT("True"), LIT("NaN"), LIT("Infinity"), LIT("\""), LIT("'a'"),
        LIT("\"\n\""), LIT("\"\\x\""), LIT("\"\\u12\""), LIT("\"\\u12g4\""),
        LIT("\"\0\""), LIT("["), LIT("]"), LIT("[1,]"), LIT("[,1]"),
        LIT("[1 2]"), LIT("{"), LIT("{\"a\"}"), LIT("{\"a\":}"),
        LIT("{\"a\":1,}"), LIT("{\"a\":]"), LIT("[{\"a\":}]"),
        LIT("{\"a\":1,\"b\":}"), LIT("{a:1}"), LIT("{1:1}"), LIT("[}"),
        LIT("{]"), LIT("\xef\xbb\xbf\x31"), LIT("1\0"), LIT("\"\xff\""),
        LIT("\"\xed\xa0\x80\""), LIT("\x0b\x31"), LIT("/**/1")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (json_valid(cases[i]))
            fail_msg("case %zu", i);
}

static bool nested(size_t depth)
{
    char *text = malloc(2 * depth);
    bool valid = false;

    assert_non_null(text);
    for (size_t i = 0; i < depth; i++) {
        text[i] = '[';
        text[2 * depth - 1 - i] = ']';
    }
    valid = json_valid(span_of(text, 2 * depth));
    free(text);
    return valid;
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    assert_true(nested(JSON_DEPTH_MAX));
    assert_false(nested(JSON_DEPTH_MAX + 1));
    assert_false(nested(1000000));
}

static void walks_members(void **state)
{
    struct json_object o;
    struct json_member m;

    (void)state;
    assert_true(json_object_begin(
        LIT(" { \"a\" : [1, {\"x\":2}] , \"\\u0062\":\"c\" } "), &o));
    assert_int_equal(json_object_next(&o, &m), JSON_MEMBER);
    assert_span(m.name, LIT("a"));
    assert_span(m.value, LIT("[1, {\"x\":2}]"));
    assert_int_equal(json_object_next(&o, &m), JSON_MEMBER);
    assert_true(json_text_equals(m.name, LIT("b")));
    assert_span(m.value, LIT("\"c\""));
    assert_int_equal(json_object_next(&o, &m), JSON_END);
    assert_false(json_object_begin(LIT("[1]"), &o));
    assert_true(json_object_begin(LIT("{\"a\":1} x"), &o));
    assert_int_equal(json_object_next(&o, &m), JSON_MEMBER);
    assert_int_equal(json_object_next(&o, &m), JSON_MALFORMED);
}

static void compares_escaped_text(void **state)
{
    (void)state;
    assert_true(json_text_equals(LIT("a\\u00e4\\n"), LIT("a\xc3\xa4\n")));
    assert_true(
        json_text_equals(LIT("\\ud83d\\ude00"), LIT("\xf0\x9f\x98\x80")));
    assert_false(json_text_equals(LIT("A"), LIT("a")));
    assert_false(json_text_equals(LIT("ab"), LIT("a")));
    assert_false(json_text_equals(LIT("a"), LIT("ab")));
    assert_true(json_text_equals_fold(LIT("Conn_ID"), LIT("conn_id")));
    assert_true(json_text_equals_fold(LIT("\\u0043onn_id"), LIT("conn_id")));
    assert_false(json_text_equals_fold(LIT("conn-id"), LIT("conn_id")));
    assert_true(json_text_equals(LIT(""), LIT("")));
}

static void escapes(void **state)
{
    uint8_t out[64];
    size_t len = json_escape(LIT("a\"\\\n\x01\x7f\xc3\xa4"), out, sizeof(out));
    struct span want = LIT("a\\\"\\\\\\u000a\\u0001\x7f\xc3\xa4");

    (void)state;
    assert_span(span_of(out, len), want);
    for (size_t cap = 0; cap < want.len; cap++) {
        memset(out, '#', sizeof(out));
        assert_int_equal(
            json_escape(LIT("a\"\\\n\x01\x7f\xc3\xa4"), out, cap), want.len);
        assert_int_equal(out[cap], '#');
    }
}

RUN_TESTS("json", cmocka_unit_test(accepts_rfc_8259),
    cmocka_unit_test(refuses_all_else), cmocka_unit_test(nesting_is_bounded),
    cmocka_unit_test(walks_members), cmocka_unit_test(compares_escaped_text),
    cmocka_unit_test(escapes));
