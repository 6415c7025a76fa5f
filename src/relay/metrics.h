/*
 * metrics: what a thread of the relay counts, and sums of it.
 *
 * Each thread owns one struct metrics that it alone writes; any thread may
 * read it meanwhile.  So writing is a plain load and store (relaxed, no
 * locked instruction), and no count is lost or torn.  A gauge may rise in one
 * thread and fall in another: the sum is right.  Values are whole numbers;
 * their unit is in the list's comment or in the histogram's scale.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "relay/metrics_list.h"

enum metric_family {
#define X(name, text, help) name,
    METRIC_COUNTER_LIST(X) METRIC_GAUGE_LIST(X)
#undef X
        METRIC_FAMILY_COUNT
};

/* METRIC_WORKER_BEAT_AGE is in milliseconds. */
enum metric {
#define X(name, family, labels) name,
    METRIC_LIST(X)
#undef X
        METRIC_COUNT
};

/* What the histograms of one family share: their bounds. */
enum metric_scale {
    SCALE_FRAME_SIZE,      /* bytes of payload */
    SCALE_FORWARD_LATENCY, /* nanoseconds */
    SCALE_CONNECTION_AGE,  /* milliseconds */
    SCALE_PUSH_DURATION,   /* milliseconds */
    METRIC_SCALE_COUNT
};

enum metric_histogram {
#define X(name, scale, labels) name,
    METRIC_HISTOGRAM_LIST(X)
#undef X
        METRIC_HISTOGRAM_COUNT
};

enum { METRIC_BUCKETS_MAX = 24 }; /* the one without a bound included */

struct metrics {
    _Atomic uint64_t values[METRIC_COUNT];
    struct {
        _Atomic uint64_t buckets[METRIC_BUCKETS_MAX]; /* not cumulative */
        _Atomic uint64_t sum;
    } histograms[METRIC_HISTOGRAM_COUNT];
};

/* The single writer's part of an atomic counter. */
static inline void metrics_bump(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter,
        atomic_load_explicit(counter, memory_order_relaxed) + by,
        memory_order_relaxed);
}

NONNULL static inline void metrics_add(
    struct metrics *m, enum metric which, uint64_t by)
{
    metrics_bump(&m->values[which], by);
}

NONNULL static inline void metrics_count(struct metrics *m, enum metric which)
{
    metrics_add(m, which, 1);
}

/* A gauge that falls; the sum over the threads never does so below zero. */
NONNULL static inline void metrics_subtract(
    struct metrics *m, enum metric which, uint64_t by)
{
    metrics_add(m, which, -by);
}

NONNULL static inline void metrics_set(
    struct metrics *m, enum metric which, uint64_t value)
{
    atomic_store_explicit(&m->values[which], value, memory_order_relaxed);
}

/* What that thread has counted so far; from any thread. */
NONNULL static inline uint64_t metrics_read(
    const struct metrics *m, enum metric which)
{
    return atomic_load_explicit(&m->values[which], memory_order_relaxed);
}

/* One observation, in the unit of the histogram's scale. */
NONNULL void metrics_observe(
    struct metrics *m, enum metric_histogram which, uint64_t value);

/* An HTTP answer, and a close frame of ours, by their codes. */
NONNULL void metrics_count_response(struct metrics *m, unsigned code);
NONNULL void metrics_count_close(struct metrics *m, unsigned code);

/* ---- sums ---- */

struct metrics_buckets {
    uint64_t counts[METRIC_BUCKETS_MAX]; /* not cumulative */
    uint64_t sum;
};

/* All zero is the sum of nothing. */
struct metrics_sum {
    uint64_t values[METRIC_COUNT];
    struct metrics_buckets histograms[METRIC_HISTOGRAM_COUNT];
};

/* Add what a thread has counted so far. */
NONNULL void metrics_sum_add(struct metrics_sum *sum, const struct metrics *m);

struct metrics_bounds {
    const uint64_t *bounds; /* inclusive upper bounds, rising */
    size_t count;           /* the bucket after them has no bound */
};
struct metrics_bounds metrics_scale_bounds(enum metric_scale scale);

enum { METRICS_NO_QUANTILE = -1 };

/*
 * The permille-quantile (500 is the median) of what was observed between two
 * sums, interpolated within its bucket, in the scale's unit; at most the
 * largest bound.  METRICS_NO_QUANTILE: nothing was observed.
 */
NONNULL int64_t metrics_quantile(const struct metrics_buckets *from,
    const struct metrics_buckets *to, enum metric_scale scale,
    unsigned permille);
