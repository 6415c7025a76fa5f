/* What the histogram says of values that are known. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "bench/histogram.h"

enum { VALUES = 20000 };

static void test_empty(void **state)
{
    static const struct histogram h;

    (void)state;
    assert_int_equal(histogram_quantile(&h, 0), 0);
    assert_int_equal(histogram_quantile(&h, 1000), 0);
}

static void test_small_values_are_exact(void **state)
{
    static struct histogram h;

    (void)state;
    for (uint64_t value = 1; value <= 20; value++)
        histogram_add(&h, value);
    assert_int_equal(histogram_quantile(&h, 0), 1);
    assert_int_equal(histogram_quantile(&h, 50), 1);
    assert_int_equal(histogram_quantile(&h, 51), 2);
    assert_int_equal(histogram_quantile(&h, 500), 10);
    assert_int_equal(histogram_quantile(&h, 1000), 20);
}

static void test_never_above_the_largest(void **state)
{
    static struct histogram h;

    (void)state;
    histogram_add(&h, UINT64_C(1) << 40);
    assert_int_equal(histogram_quantile(&h, 500), UINT64_C(1) << 40);
    assert_int_equal(h.largest, UINT64_C(1) << 40);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.largest, UINT64_MAX);
    assert_true(histogram_quantile(&h, 1000) > UINT64_MAX - (UINT64_MAX >> 5));
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Of every size, each bucket within 1/32 of the value at that rank. */
static void test_close_to_the_sorted_values(void **state)
{
    static struct histogram h;
    static uint64_t values[VALUES];
    uint64_t random = 88172645463325252U;

    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        values[i] = random >> (random % 64);
        histogram_add(&h, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    assert_int_equal(h.total, VALUES);
    assert_int_equal(h.largest, values[VALUES - 1]);
    for (unsigned permille = 1; permille <= 1000; permille++) {
        uint64_t exact = values[(size_t)permille * VALUES / 1000 - 1];
        uint64_t said = histogram_quantile(&h, permille);
        uint64_t off = said > exact ? said - exact : exact - said;

        assert_true(off <= exact / 32);
    }
}

RUN_TESTS("bench/histogram", cmocka_unit_test(test_empty),
    cmocka_unit_test(test_small_values_are_exact),
    cmocka_unit_test(test_never_above_the_largest),
    cmocka_unit_test(test_close_to_the_sorted_values));
