#include "acme/schedule.h"

#include "base/attr.h"
#include "cmocka_all.h"

enum { HOUR = 3600, DAY = 86400 };

static const struct schedule_policy policy = {
    .retry_min_s = 120, .retry_max_s = HOUR, .jitter_max_s = HOUR};

/* Certificates begin at DAY 0 of this Unix time. */
#define T0 1800000000LL

static void renewals(void **state)
{
    const struct {
        const char *what;
        struct schedule s;
        int64_t now;
        int64_t want;
    } cases[] = {
        {"no certificate", {.chance = 5}, T0, 0},
        {"90 days: 30 before the end",
            {.not_before_s = T0, .not_after_s = T0 + 90 * DAY}, T0,
            T0 + 60 * DAY},
        {"a year: 30 days too",
            {.not_before_s = T0, .not_after_s = T0 + 365 * DAY}, T0,
            T0 + 335 * DAY},
        {"6 days: a third", {.not_before_s = T0, .not_after_s = T0 + 6 * DAY},
            T0, T0 + 4 * DAY},
        {"jitter makes it earlier, an hour at most",
            {.not_before_s = T0, .not_after_s = T0 + 90 * DAY, .chance = HOUR},
            T0, T0 + 60 * DAY - HOUR},
        {"and starts over above that",
            {.not_before_s = T0,
                .not_after_s = T0 + 90 * DAY,
                .chance = HOUR + 1},
            T0, T0 + 60 * DAY},
        {"a short life has less jitter",
            {.not_before_s = T0, .not_after_s = T0 + HOUR, .chance = 180}, T0,
            T0 + 2400 - 180},
        {"a window of the CA: its start",
            {.not_before_s = T0,
                .not_after_s = T0 + 90 * DAY,
                .window_start_s = T0 + 50 * DAY,
                .window_end_s = T0 + 52 * DAY},
            T0, T0 + 50 * DAY},
        {"its end",
            {.not_before_s = T0,
                .not_after_s = T0 + 90 * DAY,
                .window_start_s = T0 + 50 * DAY,
                .window_end_s = T0 + 52 * DAY,
                .chance = 2 * DAY},
            T0, T0 + 52 * DAY},
        {"one that has passed: at once",
            {.not_before_s = T0,
                .not_after_s = T0 + 90 * DAY,
                .window_start_s = T0 - 2,
                .window_end_s = T0 - 1},
            T0 + DAY, T0 - 2},
        {"one that would let it expire: when a tenth is left",
            {.not_before_s = T0,
                .not_after_s = T0 + 90 * DAY,
                .window_start_s = T0 + 200 * DAY,
                .window_end_s = T0 + 300 * DAY},
            T0, T0 + 81 * DAY},
        {"expired: at once", {.not_before_s = T0, .not_after_s = T0 + DAY},
            T0 + DAY, 0},
        {"just issued and due already: not again at once",
            {.not_before_s = T0 - 90 * DAY,
                .not_after_s = T0 + DAY,
                .issued_at_s = T0},
            T0 + 1, T0 + HOUR},
        {"issued and expired: likewise",
            {.not_before_s = T0 - 90 * DAY,
                .not_after_s = T0 + 1,
                .issued_at_s = T0},
            T0 + 2, T0 + HOUR},
        {"issued long ago",
            {.not_before_s = T0,
                .not_after_s = T0 + 90 * DAY,
                .issued_at_s = T0},
            T0 + 1, T0 + 60 * DAY},
        {"issued, and the clock went back",
            {.not_before_s = T0 - 90 * DAY,
                .not_after_s = T0 + DAY,
                .issued_at_s = T0},
            T0 - 50 * DAY, T0 - 29 * DAY},
        {"dates that make no sense: before the end",
            {.not_before_s = T0 + DAY, .not_after_s = T0 + 10}, T0, T0 + 10},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t got = schedule_due(&cases[i].s, &policy, cases[i].now);

        if (got != cases[i].want)
            fail_msg("%s: %lld, not %lld", cases[i].what, (long long)got,
                (long long)cases[i].want);
    }
}

static int64_t retry(struct schedule s, int64_t now)
{
    return schedule_due(&s, &policy, now) - T0;
}

/* Without a certificate: 1 to 2 minutes, doubling up to half an hour to one. */
static void retries_double(void **state)
{
    static const int64_t want[] = {
        0, 120, 240, 480, 960, 1920, 3600, 3600, 3600};

    (void)state;
    for (unsigned n = 1; n < ARRAY_LEN(want); n++) {
        struct schedule s = {.failures = n, .failed_at_s = T0};
        int64_t half = want[n] / 2;

        assert_int_equal(retry(s, T0), half);
        s.chance = (uint32_t)half;
        assert_int_equal(retry(s, T0), want[n]);
        s.chance++;
        assert_int_equal(retry(s, T0), half);
    }
    assert_int_equal(
        retry(
            (struct schedule){.failures = 4000000000U, .failed_at_s = T0}, T0),
        1800);
}

static void retries_with_a_certificate(void **state)
{
    struct schedule s = {.not_before_s = T0 - 60 * DAY,
        .not_after_s = T0 + 30 * DAY,
        .failures = 1,
        .failed_at_s = T0};

    (void)state;
    /* it serves for long: half an hour to one */
    assert_int_equal(retry(s, T0), 1800);
    /* it will end soon: as if there were none */
    s.not_after_s = T0 + HOUR;
    assert_int_equal(retry(s, T0), 60);
    /* a failure long ago does not make it early */
    s.not_after_s = T0 + 50 * DAY;
    s.failed_at_s = T0 - 10 * DAY;
    assert_int_equal(retry(s, T0), 20 * DAY);
}

static void the_ca_names_a_time(void **state)
{
    struct schedule s = {
        .failures = 1, .failed_at_s = T0, .retry_at_s = T0 + 5 * HOUR};

    (void)state;
    assert_int_equal(retry(s, T0), 5 * HOUR);
    s.retry_at_s = T0 + 1; /* sooner than we would */
    assert_int_equal(retry(s, T0), 60);
    s.failures = 0; /* it was for the failure */
    s.retry_at_s = T0 + 5 * HOUR;
    assert_int_equal(schedule_due(&s, &policy, T0), 0);
}

/* A clock that goes back does not make the delay longer. */
static void clock_went_back(void **state)
{
    struct schedule s = {
        .failures = 1, .failed_at_s = T0, .retry_at_s = T0 + 5 * HOUR};

    (void)state;
    assert_int_equal(retry(s, T0 - 9 * DAY), -9 * DAY + 5 * HOUR);
    s.retry_at_s = 0;
    assert_int_equal(retry(s, T0 - 9 * DAY), -9 * DAY + 60);
}

static void default_policy(void **state)
{
    struct schedule_policy p = schedule_default_policy();

    (void)state;
    assert_int_equal(p.retry_min_s, 120);
    assert_int_equal(p.retry_max_s, HOUR);
    assert_int_equal(p.jitter_max_s, HOUR);
}

RUN_TESTS("schedule", cmocka_unit_test(renewals),
    cmocka_unit_test(retries_double),
    cmocka_unit_test(retries_with_a_certificate),
    cmocka_unit_test(the_ca_names_a_time), cmocka_unit_test(clock_went_back),
    cmocka_unit_test(default_policy));
