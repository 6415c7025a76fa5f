/*
 * worker: an event loop, its deadlines and its read buffer, and the thread
 * that runs it.
 *
 * Everything that belongs to a worker is touched by its thread alone; others
 * reach it through a mailbox (net/mailbox.h).
 */
#pragma once

#include <stdatomic.h>
#include <uv.h>

#include "base/attr.h"
#include "net/timer.h"

enum {
    /* bytes; a whole message of the largest size and its neighbours */
    WORKER_SCRATCH_LEN = 512 * 1024,
};

struct stream;

struct worker {
    uv_loop_t loop;
    uv_timer_t tick;
    uv_poll_t widest; /* of worker_init() */
    uv_idle_t ahead;  /* runs while a stream has something beside its socket */
    struct stream *ahead_first;
    struct stream *ahead_last;
    size_t ahead_count;
    struct timer_wheel timers;
    uint8_t *scratch; /* WORKER_SCRATCH_LEN bytes, valid within one callback */
    uint64_t skipped_ms;      /* by worker_skip_time() */
    _Atomic uint64_t beat_ms; /* when the loop last ticked */
    uv_thread_t thread;
    bool started;
};

/* 0 or -errno.  The loop has room for descriptors below that number from the
 * start: libuv ends the process where it finds none later. */
MUST_CHECK NONNULL int worker_init(struct worker *w, int descriptors);
/* Closes every handle of the loop and runs their close functions. */
NONNULL void worker_done(struct worker *w);

/* Run on the calling thread until worker_stop(). */
NONNULL void worker_run(struct worker *w);
/* From the worker's own thread. */
NONNULL void worker_stop(struct worker *w);

/* Run on a thread of its own.  0 or -errno. */
MUST_CHECK NONNULL int worker_start(struct worker *w);
/* Wait for that thread's end; nothing where none was started. */
NONNULL void worker_join(struct worker *w);

/* Give the streams of the list ahead their turn in the next round. */
NONNULL void worker_wake_ahead(struct worker *w);

/* Monotonic milliseconds, read once per round of the loop; the same clock for
 * every worker. */
NONNULL uint64_t worker_now_ms(const struct worker *w);

/* When the loop last ticked, by the same clock; from any thread.  A worker
 * whose beat is old does not get on. */
NONNULL uint64_t worker_beat_ms(const struct worker *w);

/* Move this worker's clock forward and act on every deadline in between, one
 * tick after the other.  For tests. */
NONNULL void worker_skip_time(struct worker *w, uint64_t ms);
