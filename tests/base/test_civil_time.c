#include "base/civil_time.h"

#include <stdio.h>
#include <time.h>

#include "cmocka_all.h"

static const int64_t day_s = 86400;
static const int64_t last_s = 253402300799; /* 9999-12-31T23:59:59Z */

/* What the C library says of that moment. */
static void compare(int64_t unix_s)
{
    struct civil_time t = civil_time_of(unix_s);
    time_t when = (time_t)unix_s;
    struct tm tm;

    assert_non_null(gmtime_r(&when, &tm));
    if (t.year != tm.tm_year + 1900 || t.month != tm.tm_mon + 1 ||
        t.day != tm.tm_mday || t.hour != tm.tm_hour || t.minute != tm.tm_min ||
        t.second != tm.tm_sec) {
        fail_msg("%lld is %d-%d-%d %d:%d:%d", (long long)unix_s, t.year,
            t.month, t.day, t.hour, t.minute, t.second);
    }
}

static void every_day_to_the_year_2500(void **state)
{
    (void)state;
    for (int64_t day = 0; day < INT64_C(530) * 366; day++)
        compare(day * day_s + day % day_s);
}

static void every_second_of_a_day(void **state)
{
    (void)state;
    for (int64_t s = 0; s < day_s; s++)
        compare(951782400 + s); /* 2000-02-29 */
}

static void around_each_month_to_the_year_9999(void **state)
{
    (void)state;
    for (int64_t s = 0; s <= last_s - day_s; s += 27 * day_s + 86399)
        compare(s);
}

static void the_ends(void **state)
{
    struct civil_time first = civil_time_of(INT64_MIN);
    struct civil_time last = civil_time_of(INT64_MAX);

    (void)state;
    assert_int_equal(first.year, 1970);
    assert_int_equal(first.second, 0);
    assert_int_equal(last.year, 9999);
    assert_int_equal(last.day, 31);
    assert_int_equal(last.second, 59);
    compare(last_s);
}

RUN_TESTS("civil_time", cmocka_unit_test(every_day_to_the_year_2500),
    cmocka_unit_test(every_second_of_a_day),
    cmocka_unit_test(around_each_month_to_the_year_9999),
    cmocka_unit_test(the_ends));
