/*
 * history: the last minutes as samples, for the status page.
 *
 * A ring of gauges and of rates between two sums of the metrics, filled by
 * one thread at a fixed interval.  Pure data; the caller passes the clocks.
 */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "relay/metrics.h"
#include "relay/process_stats.h"

enum {
    HISTORY_SAMPLES = 180,
    HISTORY_INTERVAL_MS = 5000, /* so that is 15 minutes */
};

/* enumerator, member in JSON, decimals of its unit there */
#define HISTORY_COLUMN_LIST(X)                                                 \
    X(HISTORY_AT, "at", 3)                                                     \
    X(HISTORY_BINARIES, "binaries", 0)                                         \
    X(HISTORY_PHONES, "phones", 0)                                             \
    X(HISTORY_QUEUED, "queued_bytes", 0)                                       \
    X(HISTORY_PHONE_TO_BINARY, "phone_to_binary_per_second", 3)                \
    X(HISTORY_BINARY_TO_PHONE, "binary_to_phone_per_second", 3)                \
    X(HISTORY_RECEIVED, "received_bytes_per_second", 3)                        \
    X(HISTORY_SENT, "sent_bytes_per_second", 3)                                \
    X(HISTORY_REFUSED, "refused_per_second", 3)                                \
    X(HISTORY_LATENCY_P50, "latency_p50_seconds", 9)                           \
    X(HISTORY_LATENCY_P99, "latency_p99_seconds", 9)                           \
    X(HISTORY_CPU, "cpu_seconds_per_second", 3)                                \
    X(HISTORY_RESIDENT, "resident_bytes", 0)

enum history_column {
#define X(name, member, decimals) name,
    HISTORY_COLUMN_LIST(X)
#undef X
        HISTORY_COLUMN_COUNT
};

#define HISTORY_NONE UINT64_MAX /* null in JSON */

struct history_sample {
    uint64_t values[HISTORY_COLUMN_COUNT]; /* or HISTORY_NONE */
};

/* All zero is an empty one. */
struct history {
    struct history_sample samples[HISTORY_SAMPLES]; /* a ring */
    size_t taken;                                   /* since the start */
    uint64_t taken_ms; /* monotonic, of the latest sample */
    uint64_t cpu_us;   /* then */
    struct metrics_sum sum;
};

/* What a sample is made of. */
struct history_now {
    uint64_t now_ms;   /* monotonic */
    uint64_t epoch_ms; /* of the wall clock */
    const struct metrics_sum *sum;
    const struct process_stats *process;
};

/* Is the interval since the latest sample over?  To be asked often. */
NONNULL bool history_is_due(const struct history *h, uint64_t now_ms);

/* Take a sample; the first has no rates. */
NONNULL void history_take(struct history *h, const struct history_now *now);

/* The latest sample; NULL: there is none. */
NONNULL const struct history_sample *history_latest(const struct history *h);

enum { HISTORY_JSON_MAX = 65536 }; /* bytes */

/* Append an object with one array for each column, oldest value first. */
NONNULL void history_render(const struct history *h, struct text *ret);
