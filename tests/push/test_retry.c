#include "push/retry.h"

#include "base/attr.h"
#include "cmocka_all.h"

static void which_answers(void **state)
{
    static const long worth[] = {429, 500, 502, 503, 504, 599};
    static const long not_worth[] = {
        -1, 0, 200, 301, 400, 401, 403, 404, 428, 430, 499, 600};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(worth); i++)
        assert_true(retry_is_worth(worth[i]));
    for (size_t i = 0; i < ARRAY_LEN(not_worth); i++)
        assert_false(retry_is_worth(not_worth[i]));
}

static void waits_double_and_end(void **state)
{
    struct retry r = {.began_ms = 100};
    uint64_t at_ms = 0;

    (void)state;
    assert_true(retry_plan(&r, 100, -1, 0, &at_ms));
    assert_int_equal(at_ms, 1100);
    assert_true(retry_plan(&r, 1200, -1, 0, &at_ms));
    assert_int_equal(at_ms, 3200);
    assert_true(retry_plan(&r, 3300, 0, 0, &at_ms));
    assert_int_equal(at_ms, 7300);
    assert_false(retry_plan(&r, 7400, -1, 0, &at_ms));
    assert_int_equal(at_ms, 7300);
}

/* Up to half as long again. */
static void spread(void **state)
{
    (void)state;
    for (uint32_t chance = 0; chance < 2000; chance++) {
        struct retry r = {.began_ms = 0};
        uint64_t at_ms = 0;

        assert_true(retry_plan(&r, 0, -1, chance, &at_ms));
        assert_in_range(at_ms, RETRY_WAIT_MS, RETRY_WAIT_MS * 3 / 2 - 1);
    }
}

static void what_the_server_asks_for(void **state)
{
    static const struct {
        uint64_t now_ms; /* began at 0 */
        int64_t after_s;
        uint64_t at_ms; /* 0: no more tries */
    } cases[] = {
        {0, 1, 1000},
        {0, 5, 5000},
        {0, 30, 30000},
        {0, 31, 0},
        {1, 30, 0},
        {0, INT64_MAX, 0},
        {29000, -1, 30000},
        {29001, -1, 0},
        {20000, 10, 30000},
        {20001, 10, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct retry r = {.began_ms = 0};
        uint64_t at_ms = 0;
        bool again =
            retry_plan(&r, cases[i].now_ms, cases[i].after_s, 0, &at_ms);

        assert_int_equal(again, cases[i].at_ms != 0);
        assert_int_equal(at_ms, cases[i].at_ms);
        assert_int_equal(r.count, again);
    }
}

RUN_TESTS("retry", cmocka_unit_test(which_answers),
    cmocka_unit_test(waits_double_and_end), cmocka_unit_test(spread),
    cmocka_unit_test(what_the_server_asks_for));
