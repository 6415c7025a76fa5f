#include "relay/wake_ceiling.h"

#include <pthread.h>

#include "cmocka_all.h"

static unsigned take_all(
    struct wake_ceiling *c, uint64_t per_second, uint64_t now_ms)
{
    unsigned taken = 0;

    while (taken < 100000 && wake_ceiling_take(c, per_second, now_ms))
        taken++;
    return taken;
}

/* A second's worth at once, then as they come. */
static void burst_and_rate(void **state)
{
    struct wake_ceiling c = {0};
    unsigned later = 0;

    (void)state;
    assert_int_equal(take_all(&c, 100, 5000), 100);
    assert_int_equal(take_all(&c, 100, 5009), 0);
    assert_int_equal(take_all(&c, 100, 5010), 1);
    assert_int_equal(take_all(&c, 100, 5500), 49);
    for (uint64_t ms = 5501; ms <= 15500; ms++)
        later += take_all(&c, 100, ms);
    assert_int_equal(later, 1000);
    assert_int_equal(take_all(&c, 100, 16500), 100);
    assert_int_equal(take_all(&c, 100, 99999), 100);
}

static void of_one_and_of_none(void **state)
{
    struct wake_ceiling c = {0};

    (void)state;
    assert_int_equal(take_all(&c, 1, 1), 1);
    assert_int_equal(take_all(&c, 1, 1000), 0);
    assert_int_equal(take_all(&c, 1, 1001), 1);
    assert_int_equal(take_all(&c, 0, 1001), 100000);
}

/* A worker whose clock is behind takes from the same bucket. */
static void clocks_that_are_apart(void **state)
{
    struct wake_ceiling c = {0};

    (void)state;
    assert_int_equal(take_all(&c, 10, 2000), 10);
    assert_int_equal(take_all(&c, 10, 1000), 0);
    assert_int_equal(take_all(&c, 10, 2100), 1);
}

static void *take_from_a_thread(void *ceiling)
{
    (void)take_all(ceiling, 10000, 1000);
    return NULL;
}

/* Exact, however many take: each take moves it by one interval. */
static void threads(void **state)
{
    struct wake_ceiling c = {0};
    pthread_t ids[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&ids[i], NULL, take_from_a_thread, &c), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    assert_int_equal(c.full_at_ns, UINT64_C(2000000000));
    assert_false(wake_ceiling_take(&c, 10000, 1000));
}

RUN_TESTS("wake_ceiling", cmocka_unit_test(burst_and_rate),
    cmocka_unit_test(of_one_and_of_none),
    cmocka_unit_test(clocks_that_are_apart), cmocka_unit_test(threads));
