#include "net/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/stream.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

uint64_t worker_clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* EINVAL alone: cannot be */
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

enum {
    /* a full round takes a millisecond or so; a beat is missed after 3 s */
    FULL_ROUNDS_MAX = 64,
};

static void read_clock(struct worker *w)
{
    w->now_ns = worker_clock_ns();
    w->now_ms = w->now_ns / NS_PER_MS + w->skipped_ms;
}

uint64_t worker_beat_ms(const struct worker *w)
{
    return atomic_load_explicit(&w->beat_ms, memory_order_relaxed);
}

static void beat(struct worker *w)
{
    atomic_store_explicit(&w->beat_ms, w->now_ms, memory_order_relaxed);
    timer_wheel_advance(&w->timers, w->now_ms);
}

void worker_skip_time(struct worker *w, uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < TIMER_TICK_MS ? ms : TIMER_TICK_MS;

        w->skipped_ms += step;
        ms -= step;
        read_clock(w);
        beat(w);
    }
}

/* Milliseconds to the next deadline, as far as it is known. */
static int find_rest(const struct worker *w)
{
    uint64_t next_ms = timer_wheel_next_ms(&w->timers);

    if (w->ahead_count > 0 || next_ms <= w->now_ms)
        return 0;
    return (int)(next_ms - w->now_ms);
}

/* Who has answered in time is heard before its deadline is looked at, also where
 * more are ready than a round takes, as after a pause of the whole process.  But
 * deadlines do not wait for ever. */
static bool may_act_on_deadlines(struct worker *w, int events)
{
    if (timer_wheel_is_due(&w->timers, w->now_ms) &&
        events == WORKER_EVENTS_MAX && w->full_rounds < FULL_ROUNDS_MAX) {
        w->full_rounds++;
        return false;
    }
    w->full_rounds = 0;
    return timer_wheel_is_due(&w->timers, w->now_ms);
}

/* rest: milliseconds that it may wait. */
static void run_round(struct worker *w, int rest)
{
    int count = epoll_wait(w->epoll, w->events, WORKER_EVENTS_MAX, rest);

    read_clock(w);
    for (int i = 0; i < count; i++)
        watch_dispatch(w->events[i].data.ptr, w->events[i].events);
    if (w->ahead_count > 0)
        stream_read_ahead(w);
    if (may_act_on_deadlines(w, count))
        beat(w);
    watch_reap(w);
}

void worker_run(struct worker *w)
{
    read_clock(w); /* it may have been long since worker_init() */
    while (!w->stopping) {
        watch_tell_changed(w);
        run_round(w, find_rest(w));
    }
}

void worker_run_once(struct worker *w)
{
    watch_tell_changed(w);
    run_round(w, 0);
}

void worker_stop(struct worker *w)
{
    w->stopping = true;
}

int worker_init(struct worker *w)
{
    memset(w, 0, sizeof(*w));
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll < 0)
        return -errno;
    w->scratch = malloc(WORKER_SCRATCH_LEN);
    if (w->scratch == NULL) {
        (void)close(w->epoll);
        return -ENOMEM;
    }
    read_clock(w);
    timer_wheel_init(&w->timers, w->now_ms);
    atomic_init(&w->beat_ms, w->now_ms);
    return 0;
}

void worker_done(struct worker *w)
{
    assert(!w->started);
    if (w->scratch == NULL)
        return;
    watch_reap(w);
    (void)close(w->epoll);
    free(w->scratch);
    w->scratch = NULL;
}

static void *run_thread(void *arg)
{
    worker_run(arg);
    return NULL;
}

int worker_start(struct worker *w)
{
    int failed = pthread_create(&w->thread, NULL, run_thread, w);

    w->started = failed == 0;
    return -failed;
}

void worker_join(struct worker *w)
{
    if (!w->started)
        return;
    (void)pthread_join(w->thread, NULL);
    w->started = false;
}
