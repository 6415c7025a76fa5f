#include "net/worker.h"

#include <errno.h>
#include <stdlib.h>

uint64_t worker_now_ms(const struct worker *w)
{
    return uv_now(&w->loop);
}

static void on_tick(uv_timer_t *tick)
{
    struct worker *w = tick->data;

    timer_wheel_advance(&w->timers, worker_now_ms(w));
}

int worker_init(struct worker *w)
{
    int failed = uv_loop_init(&w->loop);

    if (failed != 0)
        return failed;
    w->scratch = malloc(WORKER_SCRATCH_LEN);
    if (w->scratch == NULL) {
        (void)uv_loop_close(&w->loop);
        return -ENOMEM;
    }
    timer_wheel_init(&w->timers, uv_now(&w->loop));
    (void)uv_timer_init(&w->loop, &w->tick);
    w->tick.data = w;
    (void)uv_timer_start(&w->tick, on_tick, TIMER_TICK_MS, TIMER_TICK_MS);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void worker_done(struct worker *w)
{
    uv_walk(&w->loop, close_handle, NULL);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&w->loop);
    free(w->scratch);
    w->scratch = NULL;
}

void worker_run(struct worker *w)
{
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
}

void worker_stop(struct worker *w)
{
    uv_stop(&w->loop);
}
