/*
 * worker: one thread's event loop, its deadlines and its read buffer.
 *
 * Everything that belongs to a worker is touched by its thread alone.
 */
#pragma once

#include <uv.h>

#include "base/attr.h"
#include "net/timer.h"

enum {
    /* bytes; a whole message of the largest size and its neighbours */
    WORKER_SCRATCH_LEN = 512 * 1024,
};

struct worker {
    uv_loop_t loop;
    uv_timer_t tick;
    struct timer_wheel timers;
    uint8_t *scratch; /* WORKER_SCRATCH_LEN bytes, valid within one callback */
};

MUST_CHECK NONNULL int worker_init(struct worker *w);
/* Every handle of the loop is closed by then. */
NONNULL void worker_done(struct worker *w);

/* Run until worker_stop(). */
NONNULL void worker_run(struct worker *w);
NONNULL void worker_stop(struct worker *w);

/* Monotonic milliseconds, read once per round of the loop. */
NONNULL uint64_t worker_now_ms(const struct worker *w);
