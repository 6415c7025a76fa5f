#include "base/json_text.h"
#include "base/logfmt.h"

#include "cmocka_all.h"

static void strings_are_valid_json_whatever_the_bytes(void **state)
{
    const struct {
        struct span in;
        const char *want;
    } cases[] = {
        {LIT(""), "\"\""},
        {LIT("plain text = ok"), "\"plain text = ok\""},
        {LIT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {LIT("\n\r\t\0\x1f\x7f"), "\"\\n\\r\\t\\u0000\\u001f\\u007f\""},
        {LIT("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x99\x82"),
            "\"gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x99\x82\""},
        {LIT("\xff"), "\"\\ufffd\""},
        {LIT("a\xc3"), "\"a\\ufffd\""},
        {LIT("\xc0\xaf"), "\"\\ufffd\\ufffd\""},
        {LIT("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""},
        {LIT("\xe2\x80\xae"), "\"\\u202e\""},
        {LIT("\xef\xbb\xbf"), "\"\\ufeff\""},
        {LIT("\xc2\x85"), "\"\\u0085\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[64];
        struct text t = text_over(buf, sizeof(buf));

        json_text_add(&t, cases[i].in);
        assert_string_equal(buf, cases[i].want);
        assert_false(t.cut);
    }
}

/* At every capacity: a whole string of whole characters, or nothing. */
static void what_does_not_fit_is_cut_between_characters(void **state)
{
    const struct span in = LIT("a\n\x01\xe2\x82\xac");
    static const char *const want[] = {"", "", "\"\"", "\"a\"", "\"a\"",
        "\"a\\n\"", "\"a\\n\"", "\"a\\n\"", "\"a\\n\"", "\"a\\n\"", "\"a\\n\"",
        "\"a\\n\\u0001\"", "\"a\\n\\u0001\"", "\"a\\n\\u0001\"",
        "\"a\\n\\u0001\xe2\x82\xac\""};

    (void)state;
    for (size_t len = 0; len < ARRAY_LEN(want); len++) {
        char buf[32];
        struct text t = text_over(buf, len + 1);

        json_text_add(&t, in);
        assert_string_equal(buf, want[len]);
        assert_int_equal(t.cut, len + 1 < ARRAY_LEN(want));
    }
}

static void a_cut_logfmt_value_closes_its_quote(void **state)
{
    const struct {
        struct span in;
        size_t room;
        const char *want;
    } cases[] = {
        {LIT("a b"), 5, "\"a b\""},
        {LIT("a b"), 4, "\"a \""},
        {LIT("\x01 "), 6, "\"\\x01\""},
        {LIT("\x01 "), 5, "\"\""},
        {LIT("\xe2\x82\xac\xe2\x82\xac"), 5, "\xe2\x82\xac"},
        {LIT("\xe2\x82\xac "), 5, "\"\xe2\x82\xac\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[32];
        struct text t = text_over(buf, cases[i].room + 1);

        logfmt_value(&t, cases[i].in);
        assert_string_equal(buf, cases[i].want);
        assert_int_equal(t.cut, i > 0);
    }
}

RUN_TESTS("json_text",
    cmocka_unit_test(strings_are_valid_json_whatever_the_bytes),
    cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
    cmocka_unit_test(a_cut_logfmt_value_closes_its_quote));
