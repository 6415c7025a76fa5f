#include "relay/metrics.h"

#include <assert.h>

#define US UINT64_C(1000)       /* in nanoseconds */
#define MS UINT64_C(1000000)    /* in nanoseconds */
#define S  UINT64_C(1000000000) /* in nanoseconds */

#define SECOND UINT64_C(1000) /* in milliseconds */

/* To the largest message, LIMIT_MESSAGE_BYTES. */
static const uint64_t frame_size[] = {
    64, 256, 1024, 4096, 16384, 65536, 131072, 262144};

static const uint64_t forward_latency[] = {5 * US, 10 * US, 25 * US, 50 * US,
    100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS,
    50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S, 10 * S};

static const uint64_t connection_age[] = {1 * SECOND, 10 * SECOND, 60 * SECOND,
    300 * SECOND, 1800 * SECOND, 3600 * SECOND, 21600 * SECOND, 86400 * SECOND,
    604800 * SECOND};

/* An access token, a send, and what retries may add. */
static const uint64_t push_duration[] = {50, 100, 250, 500, 1 * SECOND, 2500,
    5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND, 80 * SECOND};

static const struct metrics_bounds scales[METRIC_SCALE_COUNT] = {
    [SCALE_FRAME_SIZE] = {frame_size, ARRAY_LEN(frame_size)},
    [SCALE_FORWARD_LATENCY] = {forward_latency, ARRAY_LEN(forward_latency)},
    [SCALE_CONNECTION_AGE] = {connection_age, ARRAY_LEN(connection_age)},
    [SCALE_PUSH_DURATION] = {push_duration, ARRAY_LEN(push_duration)},
};

_Static_assert(ARRAY_LEN(forward_latency) < METRIC_BUCKETS_MAX,
    "every bound needs a bucket, and so does what exceeds them all");

static const enum metric_scale scale_of[METRIC_HISTOGRAM_COUNT] = {
#define X(name, scale, labels) [name] = (scale),
    METRIC_HISTOGRAM_LIST(X)
#undef X
};

struct code_row {
    unsigned code;
    enum metric which;
};

static const struct code_row responses[] = {
    {101, METRIC_HTTP_101},
    {200, METRIC_HTTP_200},
    {400, METRIC_HTTP_400},
    {403, METRIC_HTTP_403},
    {404, METRIC_HTTP_404},
    {405, METRIC_HTTP_405},
    {421, METRIC_HTTP_421},
    {426, METRIC_HTTP_426},
    {429, METRIC_HTTP_429},
    {431, METRIC_HTTP_431},
    {500, METRIC_HTTP_500},
    {503, METRIC_HTTP_503},
    {505, METRIC_HTTP_505},
};

static const struct code_row closes[] = {
    {1000, METRIC_CLOSE_1000},
    {1001, METRIC_CLOSE_1001},
    {1002, METRIC_CLOSE_1002},
    {1003, METRIC_CLOSE_1003},
    {1007, METRIC_CLOSE_1007},
    {1009, METRIC_CLOSE_1009},
    {1011, METRIC_CLOSE_1011},
    {4404, METRIC_CLOSE_4404},
    {4409, METRIC_CLOSE_4409},
    {4429, METRIC_CLOSE_4429},
};

struct metrics_bounds metrics_scale_bounds(enum metric_scale scale)
{
    assert(scale < METRIC_SCALE_COUNT);
    return scales[scale];
}

void metrics_observe(
    struct metrics *m, enum metric_histogram which, uint64_t value)
{
    const struct metrics_bounds *scale = &scales[scale_of[which]];
    size_t bucket = 0;

    while (bucket < scale->count && value > scale->bounds[bucket])
        bucket++;
    metrics_bump(&m->histograms[which].buckets[bucket], 1);
    metrics_bump(&m->histograms[which].sum, value);
}

static enum metric find_code(const struct code_row *rows, size_t count,
    unsigned code, enum metric otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].code == code)
            return rows[i].which;
    }
    return otherwise;
}

void metrics_count_response(struct metrics *m, unsigned code)
{
    metrics_count(
        m, find_code(responses, ARRAY_LEN(responses), code, METRIC_HTTP_OTHER));
}

void metrics_count_close(struct metrics *m, unsigned code)
{
    metrics_count(
        m, find_code(closes, ARRAY_LEN(closes), code, METRIC_CLOSE_OTHER));
}

static uint64_t read_relaxed(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_sum_add(struct metrics_sum *sum, const struct metrics *m)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        sum->values[i] += read_relaxed(&m->values[i]);
    for (size_t i = 0; i < METRIC_HISTOGRAM_COUNT; i++) {
        struct metrics_buckets *to = &sum->histograms[i];

        for (size_t j = 0; j < METRIC_BUCKETS_MAX; j++)
            to->counts[j] += read_relaxed(&m->histograms[i].buckets[j]);
        to->sum += read_relaxed(&m->histograms[i].sum);
    }
}

static uint64_t count_of(const struct metrics_buckets *from,
    const struct metrics_buckets *to, size_t bucket)
{
    return to->counts[bucket] - from->counts[bucket];
}

int64_t metrics_quantile(const struct metrics_buckets *from,
    const struct metrics_buckets *to, enum metric_scale scale,
    unsigned permille)
{
    struct metrics_bounds s = metrics_scale_bounds(scale);
    uint64_t total = 0;
    double below = 0;

    assert(permille <= 1000);
    for (size_t i = 0; i <= s.count; i++)
        total += count_of(from, to, i);
    if (total == 0)
        return METRICS_NO_QUANTILE;

    double rank = (double)total * permille / 1000;

    for (size_t i = 0; i < s.count; i++) {
        double here = (double)count_of(from, to, i);
        double low = i == 0 ? 0 : (double)s.bounds[i - 1];

        if (here > 0 && below + here >= rank) {
            double part = (rank - below) / here;

            return (int64_t)(low + ((double)s.bounds[i] - low) * part);
        }
        below += here;
    }
    return (int64_t)s.bounds[s.count - 1];
}
