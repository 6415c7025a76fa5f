/*
 * wake_ceiling: how many wakes a second the whole relay sends, whoever asks.
 *
 * A bucket of one second's worth that several workers take from, as one
 * number: the time at which it is full again (the generic cell rate
 * algorithm).  A take is one compare-and-swap.  Workers whose clocks are apart
 * are off by as much and no more.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* Zeroed, it is full. */
struct wake_ceiling {
    _Atomic uint64_t full_at_ns; /* monotonic */
};

/* One wake at now_ms, monotonic, of per_second (0: no limit).  A refused one
 * costs nothing. */
MUST_CHECK NONNULL bool wake_ceiling_take(
    struct wake_ceiling *c, uint64_t per_second, uint64_t now_ms);
