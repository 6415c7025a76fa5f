#include "relay/metrics.h"
#include "relay/metrics_render.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static struct text fresh(void)
{
    static char buf[METRICS_TEXT_MAX];

    return text_over(buf, sizeof(buf));
}

static const char *render(const struct metrics_view *view)
{
    struct text t = fresh();

    metrics_render(view, &t);
    assert_false(t.cut);
    return t.ptr;
}

static const char *render_one(const struct metrics *m)
{
    struct metrics_sum sum = {.values = {0}};

    metrics_sum_add(&sum, m);
    return render(&(struct metrics_view){.sum = &sum, .version = "1"});
}

static void every_series_is_there_from_the_start(void **state)
{
    static const char *const present[] = {
        "pyrycode_relay_ws_upgrade_attempts_total{endpoint=\"server\","
        "outcome=\"reject_rate_limit\"} 0\n",
        "pyrycode_relay_connected_binaries 0\n",
        "pyrycode_relay_connected_phones 0\n",
        "# TYPE pyrycode_relay_grace_expiries_total counter\n",
        "pyrycode_relay_grace_expiries_total 0\n",
        "pyrycode_relay_register_failures_total{kind=\"ratelimit\"} 0\n",
        "pyrycode_relay_frame_size_bytes_bucket{direction="
        "\"phone_to_binary\",le=\"+Inf\"} 0\n",
        "promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n",
    };
    static const struct metrics m;
    const char *text = render_one(&m);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(present); i++) {
        if (strstr(text, present[i]) == NULL)
            fail_msg("missing: %s", present[i]);
    }
    assert_null(strstr(text, "push_wakes"));
    assert_null(strstr(text, "process_"));
    assert_null(strstr(text, "posture_invariant"));
}

static void counts_are_rendered_where_they_belong(void **state)
{
    static struct metrics m;
    const char *text = NULL;

    (void)state;
    metrics_count(&m, METRIC_CLIENT_404);
    metrics_count_response(&m, 503);
    metrics_count_response(&m, 418);
    metrics_count_close(&m, 4409);
    metrics_count_close(&m, 4999);
    metrics_set(&m, METRIC_WORKER_BEAT_AGE, 1250);
    text = render_one(&m);
    assert_non_null(strstr(text, "attempts_total{endpoint=\"client\",outcome="
                                 "\"reject_404\"} 1\n"));
    assert_non_null(strstr(text, "responses_total{code=\"503\"} 1\n"));
    assert_non_null(strstr(text, "responses_total{code=\"other\"} 1\n"));
    assert_non_null(strstr(text, "closes_sent_total{code=\"4409\"} 1\n"));
    assert_non_null(strstr(text, "closes_sent_total{code=\"other\"} 1\n"));
    assert_non_null(strstr(text, "relay_worker_beat_age_seconds 1.25\n"));
}

static void push_series_exist_when_push_is_on(void **state)
{
    static const struct metrics_sum sum;
    const char *text = render(
        &(struct metrics_view){.sum = &sum, .version = "1", .push = true});

    (void)state;
    assert_non_null(
        strstr(text, "pyrycode_relay_push_wakes_total{outcome=\"sent\"} 0\n"));
    assert_non_null(strstr(text, "{outcome=\"token_fetch_failed\"} 0\n"));
}

static void posture_version_and_process_are_labelled(void **state)
{
    static const struct metrics_sum sum;
    const struct metrics_invariant posture[] = {{"config", "pass"}};
    const struct process_stats process = {
        .values = {
            [PROCESS_CPU_US] = 1500000,
            [PROCESS_MAX_FDS] = PROCESS_STAT_UNKNOWN,
        }};
    const char *text = render(&(struct metrics_view){
        .sum = &sum,
        .process = &process,
        .posture = posture,
        .posture_count = 1,
        .version = "a\"b\\c\nd",
    });

    (void)state;
    assert_non_null(strstr(text, "pyrycode_relay_posture_invariant{id="
                                 "\"config\",verdict=\"pass\"} 1\n"));
    assert_non_null(strstr(text, "pyrycode_relay_build_info{version="
                                 "\"a\\\"b\\\\c\\nd\"} 1\n"));
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total 1.5\n"));
    assert_non_null(strstr(text, "\nprocess_open_fds 0\n"));
    assert_null(strstr(text, "process_max_fds"));
}

static void a_histogram_is_cumulative_and_its_bounds_are_inclusive(void **state)
{
    static struct metrics m;
    const char *text = NULL;

    (void)state;
    metrics_observe(&m, HISTOGRAM_SIZE_BINARY_TO_PHONE, 0);
    metrics_observe(&m, HISTOGRAM_SIZE_BINARY_TO_PHONE, 64);
    metrics_observe(&m, HISTOGRAM_SIZE_BINARY_TO_PHONE, 65);
    metrics_observe(&m, HISTOGRAM_SIZE_BINARY_TO_PHONE, 262145);
    metrics_observe(&m, HISTOGRAM_LATENCY_PHONE_TO_BINARY, 5001);
    text = render_one(&m);
#define SIZE "frame_size_bytes_"
#define DOWN "{direction=\"binary_to_phone\""
    assert_non_null(strstr(text, SIZE "bucket" DOWN ",le=\"64\"} 2\n"));
    assert_non_null(strstr(text, SIZE "bucket" DOWN ",le=\"256\"} 3\n"));
    assert_non_null(strstr(text, SIZE "bucket" DOWN ",le=\"262144\"} 3\n"));
    assert_non_null(strstr(text, SIZE "bucket" DOWN ",le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, SIZE "sum" DOWN "} 262274\n"));
    assert_non_null(strstr(text, SIZE "count" DOWN "} 4\n"));
#define LATENCY "forward_latency_seconds_"
#define UP      "{direction=\"phone_to_binary\""
    assert_non_null(strstr(text, LATENCY "bucket" UP ",le=\"0.000005\"} 0\n"));
    assert_non_null(strstr(text, LATENCY "bucket" UP ",le=\"0.00001\"} 1\n"));
    assert_non_null(strstr(text, LATENCY "bucket" UP ",le=\"2.5\"} 1\n"));
    assert_non_null(strstr(text, LATENCY "sum" UP "} 0.000005001\n"));
}

static void the_widest_rendering_fits(void **state)
{
    static struct metrics_sum sum;
    struct metrics_invariant posture[64];
    struct process_stats process;
    char version[257];
    struct text t = fresh();

    (void)state;
    memset(&sum, 0xff, sizeof(sum));
    for (size_t i = 0; i < PROCESS_STAT_COUNT; i++)
        process.values[i] = UINT64_MAX - 1;
    for (size_t i = 0; i < ARRAY_LEN(posture); i++) {
        posture[i] = (struct metrics_invariant){
            .id = "an-invariant-of-forty-characters-in-all.",
            .verdict = "not_applicable",
        };
    }
    memset(version, '"', sizeof(version) - 1);
    version[sizeof(version) - 1] = '\0';
    metrics_render(
        &(struct metrics_view){
            .sum = &sum,
            .process = &process,
            .posture = posture,
            .posture_count = ARRAY_LEN(posture),
            .version = version,
            .push = true,
        },
        &t);
    assert_false(t.cut);
    assert_true(t.len < METRICS_TEXT_MAX - METRICS_TEXT_MAX / 4);
}

static void a_text_without_room_says_so(void **state)
{
    static const struct metrics_sum sum;
    char buf[100];
    struct text t = text_over(buf, sizeof(buf));

    (void)state;
    metrics_render(&(struct metrics_view){.sum = &sum, .version = "1"}, &t);
    assert_true(t.cut);
}

/* ---- sums ---- */

static void a_gauge_may_rise_in_one_thread_and_fall_in_another(void **state)
{
    static struct metrics one;
    static struct metrics two;
    struct metrics_sum sum = {.values = {0}};

    (void)state;
    metrics_add(&one, METRIC_QUEUED_PHONE, 100);
    metrics_subtract(&two, METRIC_QUEUED_PHONE, 60);
    metrics_sum_add(&sum, &one);
    metrics_sum_add(&sum, &two);
    assert_int_equal(sum.values[METRIC_QUEUED_PHONE], 40);
}

enum { ROUNDS = 20000, THREADS = 3 };

static void *count_rounds(void *arg)
{
    struct metrics *m = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        metrics_count(m, METRIC_PHONE_TO_BINARY);
        metrics_observe(m, HISTOGRAM_SIZE_PHONE_TO_BINARY, i % 100);
    }
    return NULL;
}

static void a_sum_beside_running_threads_never_falls_and_ends_exact(
    void **state)
{
    static struct metrics m[THREADS];
    pthread_t threads[THREADS];
    uint64_t before = 0;
    struct metrics_sum sum;
    uint64_t observed = 0;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, count_rounds, &m[i]), 0);
    for (size_t round = 0; round < 100; round++) {
        sum = (struct metrics_sum){.values = {0}};
        for (size_t i = 0; i < THREADS; i++)
            metrics_sum_add(&sum, &m[i]);
        assert_true(sum.values[METRIC_PHONE_TO_BINARY] >= before);
        before = sum.values[METRIC_PHONE_TO_BINARY];
    }
    sum = (struct metrics_sum){.values = {0}};
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        metrics_sum_add(&sum, &m[i]);
    }
    for (size_t i = 0; i < METRIC_BUCKETS_MAX; i++)
        observed += sum.histograms[HISTOGRAM_SIZE_PHONE_TO_BINARY].counts[i];
    assert_int_equal(sum.values[METRIC_PHONE_TO_BINARY], THREADS * ROUNDS);
    assert_int_equal(observed, THREADS * ROUNDS);
}

/* ---- quantiles ---- */

static void quantiles_are_of_what_happened_between(void **state)
{
    static struct metrics m;
    static struct metrics_sum before;
    static struct metrics_sum after;
    const enum metric_histogram which = HISTOGRAM_SIZE_PHONE_TO_BINARY;
    const struct metrics_buckets *from = &before.histograms[which];
    const struct metrics_buckets *to = &after.histograms[which];

    (void)state;
    for (unsigned i = 0; i < 50; i++)
        metrics_observe(&m, which, 100000);
    metrics_sum_add(&before, &m);
    assert_int_equal(metrics_quantile(from, from, SCALE_FRAME_SIZE, 500),
        METRICS_NO_QUANTILE);
    for (unsigned i = 0; i < 98; i++)
        metrics_observe(&m, which, 100);
    metrics_observe(&m, which, 1000);
    metrics_observe(&m, which, 300000);
    metrics_sum_add(&after, &m);
    /* 98 of 100 lie in (64, 256], one in (256, 1024], one above all. */
    assert_int_equal(metrics_quantile(from, to, SCALE_FRAME_SIZE, 490), 160);
    assert_int_equal(metrics_quantile(from, to, SCALE_FRAME_SIZE, 980), 256);
    assert_int_equal(metrics_quantile(from, to, SCALE_FRAME_SIZE, 990), 1024);
    assert_int_equal(
        metrics_quantile(from, to, SCALE_FRAME_SIZE, 1000), 262144);
    assert_int_equal(metrics_quantile(from, to, SCALE_FRAME_SIZE, 0), 64);
}

RUN_TESTS("metrics", cmocka_unit_test(every_series_is_there_from_the_start),
    cmocka_unit_test(counts_are_rendered_where_they_belong),
    cmocka_unit_test(push_series_exist_when_push_is_on),
    cmocka_unit_test(posture_version_and_process_are_labelled),
    cmocka_unit_test(a_histogram_is_cumulative_and_its_bounds_are_inclusive),
    cmocka_unit_test(the_widest_rendering_fits),
    cmocka_unit_test(a_text_without_room_says_so),
    cmocka_unit_test(a_gauge_may_rise_in_one_thread_and_fall_in_another),
    cmocka_unit_test(a_sum_beside_running_threads_never_falls_and_ends_exact),
    cmocka_unit_test(quantiles_are_of_what_happened_between));
