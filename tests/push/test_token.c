#include "push/token.h"

#include "base/text.h"
#include "cmocka_all.h"

static char answer[8192];

static void how_long_it_is_good(void **state)
{
    static const struct {
        const char *answer;
        uint64_t good_ms; /* the first moment at which it is not */
    } cases[] = {
        {"{\"access_token\":\"t\",\"expires_in\":3599,\"x\":1}", 3589000},
        {"{\"access_token\":\"t\"}", 3590000},
        {"{\"access_token\":\"t\",\"expires_in\":\"7\"}", 3590000},
        {"{\"access_token\":\"t\",\"expires_in\":11}", 1000},
        {"{\"access_token\":\"t\",\"expires_in\":10}", 0},
        {"{\"access_token\":\"t\",\"expires_in\":0}", 0},
        {"{\"access_token\":\"t\",\"expires_in\":-1}", 0},
        {"{\"access_token\":\"t\",\"expires_in\":9223372036854775807}",
            86390000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct token token = {.serial = 7};

        assert_true(token_take(&token, span_str(cases[i].answer), 5000));
        assert_string_equal(token.text, "t");
        assert_int_equal(token.serial, 8);
        assert_false(token_is_good(&token, 5000 + cases[i].good_ms));
        if (cases[i].good_ms > 0)
            assert_true(token_is_good(&token, 4999 + cases[i].good_ms));
    }
}

static void no_token(void **state)
{
    static const char *const cases[] = {"", "garbage", "[]", "{}", "null",
        "{\"access_token\":1}", "{\"access_token\":\"\"}",
        "{\"access_token\":\"a b\"}", "{\"access_token\":\"a\\r\\nX: y\"}",
        "{\"access_token\":\"\\u00e4\"}", "{\"access_token\":\"t\""};
    struct token token = {.serial = 0};

    (void)state;
    assert_true(token_take(&token, span_str("{\"access_token\":\"old\"}"), 0));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_false(token_take(&token, span_str(cases[i]), 1));
        assert_string_equal(token.text, "old");
        assert_int_equal(token.serial, 1);
    }
}

static void the_longest(void **state)
{
    struct token token = {.serial = 0};
    struct text t = text_over(answer, sizeof(answer));

    (void)state;
    text_add_str(&t, "{\"access_token\":\"");
    for (size_t i = 0; i < TOKEN_MAX; i++)
        text_add_char(&t, 'x');
    text_add_str(&t, "\"}");
    assert_true(token_take(&token, span_of(answer, t.len), 0));
    assert_int_equal(strlen(token.text), TOKEN_MAX);
    t.len -= 2;
    text_add_str(&t, "x\"}");
    assert_false(token_take(&token, span_of(answer, t.len), 0));
}

static void dropped(void **state)
{
    struct token token = {.serial = 0};

    (void)state;
    assert_false(token_is_good(&token, 0));
    assert_true(token_take(&token, span_str("{\"access_token\":\"t\"}"), 0));
    assert_true(token_is_good(&token, 0));
    token_drop(&token);
    assert_false(token_is_good(&token, 0));
    assert_string_equal(token.text, "");
}

RUN_TESTS("token", cmocka_unit_test(how_long_it_is_good),
    cmocka_unit_test(no_token), cmocka_unit_test(the_longest),
    cmocka_unit_test(dropped));
