/*
 * metrics_render: sums as Prometheus text, exposition format 0.0.4.
 *
 * Pure.  Label values are constants of the program; no peer's text ever
 * becomes one.
 */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "relay/metrics.h"
#include "relay/process_stats.h"

/* One invariant of the posture check; both are constants. */
struct metrics_invariant {
    const char *id;
    const char *verdict;
};

struct metrics_view {
    const struct metrics_sum *sum;
    const struct process_stats *process;     /* NULL: left out */
    const struct metrics_invariant *posture; /* posture_count of them */
    size_t posture_count;
    const char *version;
    bool push; /* the push series exist */
};

/* bytes; enough for every series at its largest value, for 64 invariants and
 * a version of 256 bytes */
enum { METRICS_TEXT_MAX = 65536 };

/* Check ret->cut: a text that was cut must not be served. */
NONNULL void metrics_render(const struct metrics_view *view, struct text *ret);
