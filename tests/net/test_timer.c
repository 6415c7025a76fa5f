#include "net/timer.h"

#include <string.h>

#include "cmocka_all.h"

static struct timer_wheel wheel;

struct probe {
    struct timer timer;
    uint64_t fired_at; /* 0: not yet */
    unsigned times;
    struct probe *other;  /* cancelled when this one fires */
    uint64_t again_after; /* set again so much later; 0: not */
};

static void on_fire(struct timer *t, uint64_t now_ms)
{
    struct probe *p = (struct probe *)(void *)t;

    p->fired_at = now_ms;
    p->times++;
    if (p->other != NULL)
        timer_cancel(&wheel, &p->other->timer);
    if (p->again_after != 0)
        timer_set(&wheel, t, now_ms + p->again_after);
}

static void advance(uint64_t from, uint64_t to)
{
    for (uint64_t now = from; now <= to; now += TIMER_TICK_MS)
        timer_wheel_advance(&wheel, now);
}

static void fires_once_and_never_early(void **state)
{
    static const uint64_t delays[] = {
        0, 1, 99, 100, 101, 5000, 51199, 51200, 51201, 30000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        struct probe p = {.timer = {.fn = on_fire}};
        uint64_t at = 1000 + delays[i];

        timer_wheel_init(&wheel, 1000);
        timer_set(&wheel, &p.timer, at);
        assert_true(timer_is_set(&p.timer));
        advance(1000, at + 2 * TIMER_TICK_MS);
        assert_int_equal(p.times, 1);
        assert_true(p.fired_at >= at && p.fired_at <= at + 2 * TIMER_TICK_MS);
        assert_false(timer_is_set(&p.timer));
        advance(at, at + 60000);
        assert_int_equal(p.times, 1);
        assert_int_equal(wheel.count, 0);
    }
}

static void a_late_advance_fires_all_that_is_due(void **state)
{
    struct probe p[3] = {{.timer = {.fn = on_fire}}, {.timer = {.fn = on_fire}},
        {.timer = {.fn = on_fire}}};

    (void)state;
    timer_wheel_init(&wheel, 0);
    timer_set(&wheel, &p[0].timer, 500);
    timer_set(&wheel, &p[1].timer, 200000);
    timer_set(&wheel, &p[2].timer, 900000);
    timer_wheel_advance(&wheel, 300000); /* a machine that slept */
    assert_int_equal(p[0].times, 1);
    assert_int_equal(p[1].times, 1);
    assert_int_equal(p[2].times, 0);
    timer_cancel(&wheel, &p[2].timer);
    assert_int_equal(wheel.count, 0);
}

static void may_cancel_and_set_from_inside(void **state)
{
    struct probe a = {.timer = {.fn = on_fire}, .again_after = 1000};
    struct probe b = {.timer = {.fn = on_fire}};

    (void)state;
    timer_wheel_init(&wheel, 0);
    a.other = &b;
    timer_set(&wheel, &a.timer, 1000);
    timer_set(&wheel, &b.timer, 1000);
    advance(0, 5000);
    assert_true(a.times >= 4);
    assert_true(b.times <= 1); /* either order within one tick */
    assert_true(timer_is_set(&a.timer));
    timer_cancel(&wheel, &a.timer);
    timer_cancel(&wheel, &a.timer); /* twice is nothing */
    assert_int_equal(wheel.count, 0);
}

static void moving_replaces(void **state)
{
    struct probe p = {.timer = {.fn = on_fire}};

    (void)state;
    timer_wheel_init(&wheel, 0);
    timer_set(&wheel, &p.timer, 1000);
    timer_set(&wheel, &p.timer, 5000);
    assert_int_equal(wheel.count, 1);
    advance(0, 4900);
    assert_int_equal(p.times, 0);
    advance(5000, 5200);
    assert_int_equal(p.times, 1);
}

/* How long a worker may sleep: to the next timer's tick, whatever turn of the
 * wheel it is for, or as long as it was asked. */
static void says_when_something_may_be_due(void **state)
{
    struct probe p = {.timer = {.fn = on_fire}};

    (void)state;
    timer_wheel_init(&wheel, 5000);
    assert_int_equal(timer_wheel_next_ms(&wheel), 6000);
    assert_false(timer_wheel_is_due(&wheel, 5099));
    assert_true(timer_wheel_is_due(&wheel, 5100));
    timer_set(&wheel, &p.timer, 5450);
    assert_int_equal(timer_wheel_next_ms(&wheel), 5500);
    timer_wheel_advance(&wheel, 5499);
    assert_int_equal(p.times, 0);
    assert_int_equal(timer_wheel_next_ms(&wheel), 5500);
    timer_wheel_advance(&wheel, 5500);
    assert_int_equal(p.times, 1);
    assert_int_equal(timer_wheel_next_ms(&wheel), 6500);
    /* Of the next turn; the slot is looked at in this one, too. */
    timer_set(&wheel, &p.timer, 5799 + TIMER_SLOTS * TIMER_TICK_MS);
    assert_int_equal(timer_wheel_next_ms(&wheel), 6500);
    timer_wheel_advance(&wheel, 5600);
    assert_int_equal(timer_wheel_next_ms(&wheel), 5800);
    timer_wheel_advance(&wheel, 5800);
    assert_int_equal(p.times, 1);
    timer_cancel(&wheel, &p.timer);
}

RUN_TESTS("timer", cmocka_unit_test(fires_once_and_never_early),
    cmocka_unit_test(a_late_advance_fires_all_that_is_due),
    cmocka_unit_test(may_cancel_and_set_from_inside),
    cmocka_unit_test(moving_replaces),
    cmocka_unit_test(says_when_something_may_be_due));
