#include "relay/log_flood.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

/* How many of that many lines at that time are written. */
static size_t offer(
    struct log_flood *f, const char *msg, uint64_t now_ms, size_t lines)
{
    size_t admitted = 0;

    for (size_t i = 0; i < lines; i++) {
        uint64_t left_out = 0;

        if (log_flood_admit(f, msg, now_ms, &left_out)) {
            assert_int_equal(left_out, 0);
            admitted++;
        }
    }
    return admitted;
}

static void ten_lines_in_any_second(void **state)
{
    static struct log_flood f;
    uint64_t left_out = 0;

    (void)state;
    assert_int_equal(offer(&f, "x", 0, 4), 4);
    assert_int_equal(offer(&f, "x", 900, 6), 6);
    assert_false(log_flood_admit(&f, "x", 999, &left_out));
    /* The four of 0 are a second old; the six of 900 are not. */
    assert_true(log_flood_admit(&f, "x", 1000, &left_out));
    assert_int_equal(left_out, 1);
    assert_int_equal(offer(&f, "x", 1000, 10), 3);
    assert_false(log_flood_admit(&f, "x", 1899, &left_out));
    assert_true(log_flood_admit(&f, "x", 1900, &left_out));
    assert_int_equal(left_out, 8);
    assert_int_equal(f.total, 9);
}

static void events_do_not_share_and_copies_of_a_name_are_one(void **state)
{
    static struct log_flood f;
    char copy[] = "x";

    (void)state;
    assert_int_equal(offer(&f, "x", 5, 11), 10);
    assert_int_equal(offer(&f, copy, 5, 1), 0);
    assert_int_equal(offer(&f, "y", 5, 11), 10);
}

static void what_was_left_out_is_taken_once(void **state)
{
    static struct log_flood f;
    uint64_t left_out = 0;

    (void)state;
    assert_null(log_flood_take(&f, &left_out));
    assert_int_equal(offer(&f, "x", 5, 15), 10);
    assert_int_equal(offer(&f, "y", 5, 12), 10);
    for (size_t i = 0; i < 2; i++) {
        const char *msg = log_flood_take(&f, &left_out);

        assert_non_null(msg);
        assert_int_equal(left_out, strcmp(msg, "x") == 0 ? 5 : 2);
    }
    assert_null(log_flood_take(&f, &left_out));
    assert_true(log_flood_admit(&f, "x", 2000, &left_out));
    assert_int_equal(left_out, 0);
    assert_int_equal(f.total, 7);
}

static void a_line_that_was_lost_is_said_with_those_before_it(void **state)
{
    static struct log_flood f;
    uint64_t left_out = 0;

    (void)state;
    assert_int_equal(offer(&f, "x", 0, 12), 10);
    assert_true(log_flood_admit(&f, "x", 1000, &left_out));
    assert_int_equal(left_out, 2);
    log_flood_lost(&f, "x", left_out);
    assert_true(log_flood_admit(&f, "x", 1000, &left_out));
    assert_int_equal(left_out, 3);
    assert_int_equal(f.total, 3);
}

static void events_beyond_the_table_are_not_limited(void **state)
{
    static struct log_flood f;
    static char names[LOG_FLOOD_EVENTS][8];
    uint64_t left_out = 0;

    (void)state;
    for (size_t i = 0; i < LOG_FLOOD_EVENTS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "e%zu", i);
        assert_int_equal(offer(&f, names[i], 0, 11), 10);
    }
    assert_int_equal(offer(&f, "one more", 0, 50), 50);
    assert_int_equal(offer(&f, "e127", 0, 1), 0);
    log_flood_lost(&f, "one more", 0);
    assert_int_equal(f.total, LOG_FLOOD_EVENTS + 2);
    for (size_t i = 0; i < LOG_FLOOD_EVENTS; i++)
        assert_non_null(log_flood_take(&f, &left_out));
    assert_string_equal(log_flood_take(&f, &left_out), "(several)");
    assert_int_equal(left_out, 1);
    assert_null(log_flood_take(&f, &left_out));
}

RUN_TESTS("log_flood", cmocka_unit_test(ten_lines_in_any_second),
    cmocka_unit_test(events_do_not_share_and_copies_of_a_name_are_one),
    cmocka_unit_test(what_was_left_out_is_taken_once),
    cmocka_unit_test(a_line_that_was_lost_is_said_with_those_before_it),
    cmocka_unit_test(events_beyond_the_table_are_not_limited));
