/*
 * timer: coarse deadlines on a hashed wheel, O(1) to set and to cancel.
 *
 * A timer fires once, at or up to TIMER_TICK_MS after its time, from
 * timer_wheel_advance().  Its function may set or cancel any timer of the
 * wheel, itself included.  Nothing is allocated; the caller owns the timers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    TIMER_TICK_MS = 100,
    TIMER_SLOTS = 512, /* one turn of the wheel is 51.2 s */
    TIMER_REST_MS = 1000,
};

struct timer;
typedef void timer_fn(struct timer *t, uint64_t now_ms);

struct timer {
    struct timer *prev; /* NULL while not set */
    struct timer *next;
    uint64_t at_ms; /* monotonic */
    timer_fn *fn;
};

struct timer_wheel {
    struct timer slots[TIMER_SLOTS]; /* heads of circular lists */
    uint64_t tick;                   /* the last tick that was advanced over */
    uint64_t next_tick; /* nothing is due before; where it is not known, soon */
    size_t count;       /* timers that are set */
};

NONNULL void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Set or move; a time in the past fires at the next advance. */
NONNULL void timer_set(
    struct timer_wheel *wheel, struct timer *t, uint64_t at_ms);
NONNULL void timer_cancel(struct timer_wheel *wheel, struct timer *t);
NONNULL bool timer_is_set(const struct timer *t);

/* Has a tick begun that was not advanced over?  Something may be due then. */
NONNULL static inline bool timer_wheel_is_due(
    const struct timer_wheel *wheel, uint64_t now_ms)
{
    return now_ms >= (wheel->tick + 1) * TIMER_TICK_MS;
}

/* When to advance next, in milliseconds: when something may be due, or about
 * TIMER_REST_MS after the last time. */
NONNULL static inline uint64_t timer_wheel_next_ms(
    const struct timer_wheel *wheel)
{
    return wheel->next_tick * TIMER_TICK_MS;
}

/* Fire what is due. */
NONNULL void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);
