#include "relay/history.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static struct history history;
static struct metrics_sum sum;
static struct process_stats process;

static int reset(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    memset(&sum, 0, sizeof(sum));
    memset(&process, 0, sizeof(process));
    return 0;
}

static const uint64_t *take(uint64_t now_ms)
{
    history_take(&history, &(struct history_now){
                               .now_ms = now_ms,
                               .epoch_ms = 1790000000000 + now_ms,
                               .sum = &sum,
                               .process = &process,
                           });
    return history_latest(&history)->values;
}

static const char *render(void)
{
    static char buf[HISTORY_JSON_MAX];
    struct text t = text_over(buf, sizeof(buf));

    history_render(&history, &t);
    assert_false(t.cut);
    return t.ptr;
}

static void a_sample_is_due_when_the_interval_is_over(void **state)
{
    (void)state;
    assert_null(history_latest(&history));
    assert_true(history_is_due(&history, 0));
    (void)take(0);
    assert_false(history_is_due(&history, HISTORY_INTERVAL_MS - 1));
    assert_true(history_is_due(&history, HISTORY_INTERVAL_MS));
}

static void the_first_sample_has_gauges_and_no_rates(void **state)
{
    const uint64_t *v = NULL;

    (void)state;
    sum.values[METRIC_CONNECTED_PHONES] = 3;
    sum.values[METRIC_QUEUED_PHONE] = 40;
    sum.values[METRIC_QUEUED_BINARY] = 2;
    sum.values[METRIC_PHONE_TO_BINARY] = 1000;
    process.values[PROCESS_RESIDENT_BYTES] = PROCESS_STAT_UNKNOWN;
    v = take(7);
    assert_int_equal(v[HISTORY_AT], 1790000000007);
    assert_int_equal(v[HISTORY_PHONES], 3);
    assert_int_equal(v[HISTORY_QUEUED], 42);
    assert_true(v[HISTORY_PHONE_TO_BINARY] == HISTORY_NONE);
    assert_true(v[HISTORY_CPU] == HISTORY_NONE);
    assert_true(v[HISTORY_RESIDENT] == HISTORY_NONE);
}

static void rates_are_of_the_time_that_really_passed(void **state)
{
    const uint64_t *v = NULL;

    (void)state;
    (void)take(1000);
    sum.values[METRIC_PHONE_TO_BINARY] += 6;
    sum.values[METRIC_RECEIVED_PHONE] += 4096;
    sum.values[METRIC_RECEIVED_OTHER] += 8192;
    sum.values[METRIC_CLIENT_404] += 1;
    sum.values[METRIC_BUDGET_ADDRESS] += 2;
    process.values[PROCESS_CPU_US] += 3000000;
    v = take(1000 + 6000);
    assert_int_equal(v[HISTORY_PHONE_TO_BINARY], 1000);
    assert_int_equal(v[HISTORY_RECEIVED], 2048000);
    assert_int_equal(v[HISTORY_REFUSED], 500);
    assert_int_equal(v[HISTORY_CPU], 500);
    assert_int_equal(v[HISTORY_BINARY_TO_PHONE], 0);
    v = take(1000 + 12000);
    assert_int_equal(v[HISTORY_PHONE_TO_BINARY], 0);
    assert_int_equal(v[HISTORY_CPU], 0);
}

static void latency_is_of_what_passed_since_and_of_both_ways(void **state)
{
    struct metrics_buckets *up =
        &sum.histograms[HISTOGRAM_LATENCY_PHONE_TO_BINARY];
    struct metrics_buckets *down =
        &sum.histograms[HISTOGRAM_LATENCY_BINARY_TO_PHONE];
    const uint64_t *v = NULL;

    (void)state;
    up->counts[5] = 1000;
    (void)take(0);
    v = take(5000);
    assert_true(v[HISTORY_LATENCY_P50] == HISTORY_NONE);
    up->counts[1] += 50;   /* (5 us, 10 us] */
    down->counts[2] += 50; /* (10 us, 25 us] */
    v = take(10000);
    assert_int_equal(v[HISTORY_LATENCY_P50], 10000);
    assert_int_equal(v[HISTORY_LATENCY_P99], 24700);
}

static void the_ring_keeps_the_latest_in_order(void **state)
{
    const char *text = NULL;
    const char *at = NULL;
    size_t count = 0;

    (void)state;
    for (uint64_t i = 0; i < HISTORY_SAMPLES + 3; i++) {
        sum.values[METRIC_CONNECTED_BINARIES] = i;
        (void)take(i * HISTORY_INTERVAL_MS);
    }
    text = render();
    assert_non_null(
        strstr(text, "{\"interval_seconds\":5,\"at\":[1790000015,"));
    at = strstr(text, "\"binaries\":[");
    assert_non_null(at);
    at += strlen("\"binaries\":[");
    for (char *end = NULL; *at != ']'; at = *end == ',' ? end + 1 : end) {
        assert_int_equal(strtoull(at, &end, 10), count + 3);
        count++;
    }
    assert_int_equal(count, HISTORY_SAMPLES);
}

static void nothing_is_null_and_an_empty_history_has_no_samples(void **state)
{
    (void)state;
    assert_non_null(strstr(render(), "\"at\":[],\"binaries\":[]"));
    (void)take(0);
    assert_non_null(strstr(render(), "\"latency_p99_seconds\":[null]"));
    assert_non_null(strstr(render(), "\"resident_bytes\":[0]}"));
}

static void the_widest_history_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < HISTORY_SAMPLES; i++) {
        for (size_t j = 0; j < HISTORY_COLUMN_COUNT; j++)
            history.samples[i].values[j] = UINT64_MAX - 1;
    }
    history.taken = HISTORY_SAMPLES;
    assert_true(strlen(render()) > 40000);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

RUN_TESTS("history", TEST(a_sample_is_due_when_the_interval_is_over),
    TEST(the_first_sample_has_gauges_and_no_rates),
    TEST(rates_are_of_the_time_that_really_passed),
    TEST(latency_is_of_what_passed_since_and_of_both_ways),
    TEST(the_ring_keeps_the_latest_in_order),
    TEST(nothing_is_null_and_an_empty_history_has_no_samples),
    TEST(the_widest_history_fits));
