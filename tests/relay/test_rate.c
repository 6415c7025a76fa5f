#include "relay/rate.h"

#include "cmocka_all.h"

static const struct rate_limit slow = {.bytes_per_s = 1000, .burst = 500};

static void off_is_no_limit(void **state)
{
    const struct rate_limit off = rate_limit_of(RATE_OFF);
    struct rate rate = {.owed = 0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(rate_take(&rate, &off, SIZE_MAX, 1), 0);
    assert_int_equal(rate_pause(&rate, &off, 1), 0);
}

static void a_burst_passes_and_a_byte_more_pauses(void **state)
{
    struct rate rate = {.owed = 0};

    (void)state;
    assert_int_equal(rate_take(&rate, &slow, 500, 7000), 0);
    assert_int_equal(rate_take(&rate, &slow, 1, 7000), 1);
    assert_int_equal(rate_pause(&rate, &slow, 7000), 1);
    assert_int_equal(rate_pause(&rate, &slow, 7001), 0);
    assert_int_equal(rate_take(&rate, &slow, 1000, 7001), 1000);
    assert_int_equal(rate_pause(&rate, &slow, 8000), 1);
    assert_int_equal(rate_pause(&rate, &slow, 8001), 0);
    /* Full again after a rest, and not more than full. */
    assert_int_equal(rate_take(&rate, &slow, 500, 1000000), 0);
    assert_int_equal(rate_take(&rate, &slow, 1, 1000000), 1);
    assert_int_equal(rate_take(&rate, &slow, 0, 1000001), 0);
}

static void a_pause_is_rounded_up(void **state)
{
    const struct rate_limit odd = {.bytes_per_s = 3, .burst = 0};
    struct rate rate = {.owed = 0};
    uint64_t now_ms = 0;

    (void)state;
    /* 1 byte takes 333 1/3 ms: 334 first, then never more than 1,000 for 3. */
    assert_int_equal(rate_take(&rate, &odd, 1, 0), 334);
    assert_int_equal(rate_take(&rate, &odd, 2, 0), 1000);
    rate = (struct rate){.owed = 0};
    for (unsigned i = 0; i < 10800; i++)
        now_ms += rate_take(&rate, &odd, 1, now_ms);
    /* Without a burst each pause loses what it was rounded up by. */
    assert_int_equal(now_ms, 334 * 10800);
}

static void sustained_it_is_the_rate(void **state)
{
    static const uint64_t rates[] = {1, 999, 65536, 1000000007, RATE_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        const struct rate_limit limit = rate_limit_of(rates[i]);
        struct rate rate = {.owed = 0};
        uint64_t now_ms = 1;
        uint64_t bytes = 0;
        uint64_t random = 1;

        for (int k = 0; k < 10000; k++) {
            size_t len = 0;

            random = random * UINT64_C(6364136223846793005) + 1;
            len = (random >> 33) % 65536;
            bytes += len;
            now_ms += rate_take(&rate, &limit, len, now_ms);
            /* Never ahead of the rate by more than the burst. */
            assert_true(
                (__extension__(unsigned __int128)(
                     bytes - (bytes < limit.burst ? bytes : limit.burst)) *
                    1000) <= (__extension__(unsigned __int128)(now_ms - 1) *
                                 limit.bytes_per_s));
        }
    }
}

static void the_extremes_hold(void **state)
{
    const struct rate_limit most = {.bytes_per_s = RATE_MAX, .burst = RATE_MAX};
    const struct rate_limit least = {.bytes_per_s = 1, .burst = 0};
    struct rate rate = {.owed = 0};

    (void)state;
    assert_int_equal(rate_limit_of(1).burst, RATE_BURST_MIN);
    assert_true(rate_limit_of(RATE_MAX).burst == RATE_MAX);
    assert_true(rate_take(&rate, &most, SIZE_MAX, 1) > 0);
    assert_true(rate_take(&rate, &most, SIZE_MAX, 1) > 0);
    assert_int_equal(rate_pause(&rate, &most, UINT64_MAX), 0);
    rate = (struct rate){.owed = 0};
    assert_true(rate_take(&rate, &least, SIZE_MAX, 0) == UINT64_MAX);
    rate = (struct rate){.owed = 0};
    assert_int_equal(rate_take(&rate, &least, 1, 1000), 1000);
    /* A clock that went back pays nothing and costs nothing. */
    assert_int_equal(rate_take(&rate, &least, 0, 500), 1000);
    assert_int_equal(rate_pause(&rate, &least, 1999), 1);
    assert_int_equal(rate_pause(&rate, &least, 2000), 0);
}

RUN_TESTS("rate", cmocka_unit_test(off_is_no_limit),
    cmocka_unit_test(a_burst_passes_and_a_byte_more_pauses),
    cmocka_unit_test(a_pause_is_rounded_up),
    cmocka_unit_test(sustained_it_is_the_rate),
    cmocka_unit_test(the_extremes_hold));
