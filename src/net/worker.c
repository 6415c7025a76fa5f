#include "net/worker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/own.h"
#include "net/stream.h"

uint64_t worker_now_ms(const struct worker *w)
{
    return uv_now(&w->loop) + w->skipped_ms;
}

uint64_t worker_beat_ms(const struct worker *w)
{
    return atomic_load_explicit(&w->beat_ms, memory_order_relaxed);
}

static void beat(struct worker *w)
{
    uint64_t now_ms = worker_now_ms(w);

    atomic_store_explicit(&w->beat_ms, now_ms, memory_order_relaxed);
    timer_wheel_advance(&w->timers, now_ms);
}

static void on_tick(uv_timer_t *tick)
{
    beat(tick->data);
}

void worker_skip_time(struct worker *w, uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < TIMER_TICK_MS ? ms : TIMER_TICK_MS;

        w->skipped_ms += step;
        ms -= step;
        beat(w);
    }
}

static void on_ahead(uv_idle_t *ahead)
{
    struct worker *w = ahead->data;

    stream_read_ahead(w);
    if (w->ahead_count == 0)
        (void)uv_idle_stop(ahead);
}

void worker_wake_ahead(struct worker *w)
{
    (void)uv_idle_start(&w->ahead, on_ahead);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void worker_done(struct worker *w)
{
    assert(!w->started);
    if (w->scratch == NULL)
        return;
    uv_walk(&w->loop, close_handle, NULL);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&w->loop);
    free(w->scratch);
    w->scratch = NULL;
}

static void on_widest(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

/* Watch the highest descriptor for a moment: the loop's table then has room
 * for all below it.  Where that number cannot be had, none comes that high. */
static int reserve(struct worker *w, int descriptors)
{
    CLOSES int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CLOSES int highest = -1;
    int failed = 0;

    if (event < 0)
        return -errno;
    highest = fcntl(event, F_DUPFD_CLOEXEC, descriptors - 1);
    if (highest < 0)
        return 0;
    failed = uv_poll_init(&w->loop, &w->widest, highest);
    if (failed != 0)
        return failed;
    failed = uv_poll_start(&w->widest, UV_READABLE, on_widest);
    (void)uv_poll_stop(&w->widest);
    uv_close((uv_handle_t *)&w->widest, NULL);
    return failed;
}

int worker_init(struct worker *w, int descriptors)
{
    int failed = uv_loop_init(&w->loop);

    if (failed != 0)
        return failed;
    w->skipped_ms = 0;
    w->started = false;
    w->scratch = malloc(WORKER_SCRATCH_LEN);
    if (w->scratch == NULL) {
        (void)uv_loop_close(&w->loop);
        return -ENOMEM;
    }
    timer_wheel_init(&w->timers, uv_now(&w->loop));
    atomic_init(&w->beat_ms, uv_now(&w->loop));
    (void)uv_timer_init(&w->loop, &w->tick);
    w->tick.data = w;
    (void)uv_idle_init(&w->loop, &w->ahead);
    w->ahead.data = w;
    w->ahead_first = NULL;
    w->ahead_last = NULL;
    w->ahead_count = 0;
    (void)uv_timer_start(&w->tick, on_tick, TIMER_TICK_MS, TIMER_TICK_MS);
    failed = reserve(w, descriptors);
    if (failed != 0)
        worker_done(w);
    return failed;
}

void worker_run(struct worker *w)
{
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
}

void worker_stop(struct worker *w)
{
    uv_stop(&w->loop);
}

static void run_thread(void *arg)
{
    worker_run(arg);
}

int worker_start(struct worker *w)
{
    int failed = uv_thread_create(&w->thread, run_thread, w);

    w->started = failed == 0;
    return failed;
}

void worker_join(struct worker *w)
{
    if (!w->started)
        return;
    (void)uv_thread_join(&w->thread);
    w->started = false;
}
