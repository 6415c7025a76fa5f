#include "bench/load_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/clock_ns.h"
#include "bench/load_churn.h"
#include "bench/load_connect.h"
#include "bench/load_traffic.h"

enum { EVENTS = 256, NS_PER_MS = 1000000, DRAIN_MS = 10000 };

_Static_assert(offsetof(struct load_run, host) == 0, "load_run_of() casts");

void load_run_fail(struct load_run *run, const char *fmt, ...)
{
    va_list args;

    if (load_run_failed(run))
        return;
    va_start(args, fmt);
    (void)vsnprintf(run->fault, sizeof(run->fault), fmt, args);
    va_end(args);
}

static void serve(struct load_run *run, const struct epoll_event *event)
{
    struct peer *p = event->data.ptr;

    if (p == NULL) {
        load_connect_accept(run);
    } else if (p->state != PEER_CLOSED) {
        peer_on_event(&run->host, p, event->events);
    }
}

static void wait_for_events(struct load_run *run, uint64_t wait_ns)
{
    struct epoll_event events[EVENTS];
    const struct timespec timeout = {
        .tv_sec = (time_t)(wait_ns / CLOCK_NS_PER_SECOND),
        .tv_nsec = (long)(wait_ns % CLOCK_NS_PER_SECOND),
    };
    int count = epoll_pwait2(run->host.epoll, events, EVENTS, &timeout, NULL);

    if (count < 0 && errno != EINTR)
        load_run_fail(run, "epoll: %s", strerrordesc_np(errno));
    for (int i = 0; i < count && !load_run_failed(run); i++)
        serve(run, &events[i]);
}

bool load_run_until(struct load_run *run, uint64_t until_ns,
    load_done_fn *is_done, load_tick_fn *tick)
{
    while (!load_run_failed(run) && (is_done == NULL || !is_done(run))) {
        uint64_t now = clock_ns();
        uint64_t next = tick == NULL ? UINT64_MAX : tick(run, now);

        if (now >= run->deadline_ns) {
            load_run_fail(run, "out of time");
            break;
        }
        if (now >= until_ns)
            break;
        if (next > until_ns)
            next = until_ns;
        if (next > run->deadline_ns)
            next = run->deadline_ns;
        wait_for_events(run, next > now ? next - now : 0);
    }
    return !load_run_failed(run);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec spent;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * CLOCK_NS_PER_SECOND +
           (uint64_t)spent.tv_nsec;
}

static void read_usage(struct load_run *run, struct usage *ret)
{
    int status = usage_read(run->options->pids, run->options->pid_count, ret);

    if (status < 0)
        load_run_fail(run, "a process of the server is gone");
}

/* Warm up, measure, drain; false on a fault. */
static bool measure(struct load_run *run)
{
    const struct load_options *o = run->options;
    load_done_fn *is_done = o->mode == LOAD_CHURN || o->mode == LOAD_IDLE
                                ? NULL
                                : load_traffic_is_complete;
    uint64_t forever = UINT64_MAX;
    uint64_t since = clock_ns();

    if (o->messages == 0 &&
        !load_run_until(
            run, since + o->warm_up_ms * NS_PER_MS, NULL, load_traffic_tick))
        return false;
    run->phase = LOAD_MEASURING;
    read_usage(run, &run->begin);
    run->own_cpu_ns = own_cpu_ns();
    since = clock_ns();
    if (!load_run_until(run,
            o->messages > 0 ? forever : since + o->measure_ms * NS_PER_MS,
            is_done, load_traffic_tick))
        return false;
    run->measured_ns = clock_ns() - since;
    run->own_cpu_ns = own_cpu_ns() - run->own_cpu_ns;
    read_usage(run, &run->end);
    run->phase = LOAD_DRAINING;
    return !load_run_failed(run);
}

static void drain(struct load_run *run)
{
    if (run->messages == 0)
        load_run_fail(run, "no message came");
    if (load_run_until(run, clock_ns() + (uint64_t)DRAIN_MS * NS_PER_MS,
            load_traffic_is_drained, NULL) &&
        !load_traffic_is_drained(run))
        load_run_fail(run, "messages were lost");
}

static void run_traffic(struct load_run *run)
{
    run->phase = LOAD_SETTING_UP;
    load_traffic_introduce(run);
    if (!load_run_until(
            run, run->deadline_ns, load_traffic_is_introduced, NULL))
        return;
    run->phase = LOAD_WARMING_UP;
    if (run->options->messages > 0)
        run->phase = LOAD_MEASURING;
    load_traffic_start(run);
    if (measure(run))
        drain(run);
}

static void run_mode(struct load_run *run)
{
    read_usage(run, &run->before);
    if (run->options->mode == LOAD_CHURN) {
        run->host.events = &load_churn_events;
        run->phase = LOAD_WARMING_UP;
        load_churn_start(run);
        if (measure(run) && run->handshakes == 0)
            load_run_fail(run, "no connection was ended by the server");
        return;
    }
    run->host.events = &load_traffic_events;
    if (!load_connect_pairs(run))
        return;
    if (run->options->mode == LOAD_IDLE) {
        (void)fputs("holding\n", stderr);
        (void)measure(run);
    } else {
        run_traffic(run);
    }
}

static void mark_closed(struct peer *p)
{
    p->fd = -1;
}

static int allocate(struct load_run *run)
{
    const struct load_options *o = run->options;
    /* a message: its header, its value in an envelope, which } ends */
    size_t message_most = FRAME_HEADER_MOST + LOAD_PREFIX_MOST + o->size + 1;

    run->pairs = calloc(o->pairs, sizeof(*run->pairs));
    run->churners = calloc(o->concurrent, sizeof(*run->churners));
    run->binaries = calloc(o->pairs, sizeof(*run->binaries));
    run->output = malloc(o->burst * message_most);
    run->host.input = malloc(PEER_INPUT);
    if (run->pairs == NULL || run->churners == NULL || run->binaries == NULL ||
        run->output == NULL || run->host.input == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i < o->pairs; i++) {
        mark_closed(&run->pairs[i].phone);
        mark_closed(&run->binaries[i]);
    }
    for (uint64_t i = 0; i < o->concurrent; i++)
        mark_closed(&run->churners[i]);
    return payload_init(&run->payload, o->size);
}

int load_run(const struct load_options *options, struct load_run *run)
{
    int status = 0;

    *run = (struct load_run){
        .options = options,
        .host = {.epoll = epoll_create1(EPOLL_CLOEXEC),
            .name = options->name,
            .id = options->id,
            .port = options->port,
            .sources = (uint32_t)options->sources},
        .listener = -1,
        .deadline_ns = clock_ns() + options->limit_ms * NS_PER_MS,
    };
    if (run->host.epoll < 0)
        return -errno;
    status = allocate(run);
    if (status == 0)
        status = load_connect_prepare(run);
    if (status == 0)
        run_mode(run);
    return status;
}

void load_run_free(struct load_run *run)
{
    for (uint64_t i = 0; run->pairs != NULL && i < run->options->pairs; i++) {
        peer_close(&run->pairs[i].phone);
        free(run->pairs[i].prefix);
        if (run->binaries != NULL)
            peer_close(&run->binaries[i]);
    }
    for (uint64_t i = 0; run->churners != NULL && i < run->options->concurrent;
         i++)
        peer_close(&run->churners[i]);
    SSL_SESSION_free(run->host.session);
    SSL_CTX_free(run->host.tls_in);
    SSL_CTX_free(run->host.tls_out);
    payload_done(&run->payload);
    free(run->pairs);
    free(run->churners);
    free(run->binaries);
    free(run->output);
    free(run->host.input);
    if (run->listener >= 0)
        (void)close(run->listener);
    if (run->host.epoll >= 0)
        (void)close(run->host.epoll);
}
