/*
 * worker: an event loop, its deadlines and its read buffer, and the thread
 * that runs it.
 *
 * A round: tell the kernel what is wanted, wait, read the clock once, act on
 * what is ready (net/watch.h), then on deadlines (net/timer.h), and let go of
 * what was stopped.  Everything that belongs to a worker is touched by its
 * thread alone; others reach it through a mailbox (net/mailbox.h).
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "base/attr.h"
#include "net/timer.h"
#include "net/watch.h"

enum {
    /* bytes; a whole message of the largest size and its neighbours */
    WORKER_SCRATCH_LEN = 512 * 1024,
    WORKER_EVENTS_MAX = 128, /* of a round; the others are in the next */
};

struct stream;

struct worker {
    int epoll;
    bool stopping;
    bool started;
    struct watch_list changed;  /* that the kernel is to be told of */
    struct watch_list gone;     /* that were stopped in this round */
    struct stream *ahead_first; /* those with something to read beside */
    struct stream *ahead_last;  /* their sockets */
    size_t ahead_count;
    unsigned full_rounds; /* on end, while a deadline is due */
    struct timer_wheel timers;
    uint8_t *scratch; /* WORKER_SCRATCH_LEN bytes, valid within one callback */
    uint64_t now_ns;  /* monotonic; when this round began */
    uint64_t now_ms;  /* the same, and what was skipped */
    uint64_t skipped_ms;      /* by worker_skip_time() */
    _Atomic uint64_t beat_ms; /* when it last acted on deadlines */
    pthread_t thread;
    struct epoll_event events[WORKER_EVENTS_MAX];
};

/* 0 or -errno. */
MUST_CHECK NONNULL int worker_init(struct worker *w);
/* Lets go of what was stopped; nothing is watched any more.  Safe on one that
 * is all zero. */
NONNULL void worker_done(struct worker *w);

/* Run on the calling thread until worker_stop(). */
NONNULL void worker_run(struct worker *w);
/* From the worker's own thread: this round is the last. */
NONNULL void worker_stop(struct worker *w);
/* One round that waits for nothing.  For tests. */
NONNULL void worker_run_once(struct worker *w);

/* Run on a thread of its own.  0 or -errno. */
MUST_CHECK NONNULL int worker_start(struct worker *w);
/* Wait for that thread's end; nothing where none was started. */
NONNULL void worker_join(struct worker *w);

/* Monotonic milliseconds, read once per round of the loop; the same clock for
 * every worker. */
NONNULL static inline uint64_t worker_now_ms(const struct worker *w)
{
    return w->now_ms;
}

/* When this round began, in monotonic nanoseconds; and now. */
NONNULL static inline uint64_t worker_round_ns(const struct worker *w)
{
    return w->now_ns;
}
uint64_t worker_clock_ns(void);

/* When the loop last acted on deadlines, by the same clock; from any thread.
 * A worker whose beat is old does not get on. */
NONNULL uint64_t worker_beat_ms(const struct worker *w);

/* Move this worker's clock forward and act on every deadline in between, one
 * tick after the other.  For tests. */
NONNULL void worker_skip_time(struct worker *w, uint64_t ms);
