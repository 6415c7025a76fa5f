#include "relay/relay.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/host_port.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/session.h"

static struct relay *relay_of_drain(struct timer *t)
{
    return (struct relay *)(void *)((char *)t -
                                    offsetof(struct relay, drain_timer));
}

static void on_grace_over(void *owner, struct conn *const *phones, size_t count)
{
    struct relay *relay = owner;

    metrics_count(&relay->metrics, METRIC_GRACE_EXPIRIES);
    session_grace_over(phones, count);
    conn_flush_dirty(relay);
}

int relay_init(struct relay *relay, const struct config *config)
{
    int failed = 0;

    *relay = (struct relay){.config = config};
    for (size_t i = 0; i < RELAY_LISTENERS; i++)
        relay->sockets[i].fd = -1;
    failed = worker_init(&relay->worker);
    if (failed != 0)
        return failed;
    failed = registry_init(
        &relay->registry, &relay->worker.timers, on_grace_over, relay);
    if (failed != 0)
        worker_done(&relay->worker);
    relay->started_ms = worker_now_ms(&relay->worker);
    return failed;
}

static void log_listener_failed(const char *address, int error)
{
    LOG(LOG_ERROR, "listener failed", LOG_TEXT(LOG_ADDR, address),
        LOG_TEXT(LOG_ERR, uv_strerror(error)));
}

static bool bind_one(struct relay_socket *to, const struct relay_plan *plan)
{
    const char *address = plan->address;
    struct host_port hp;
    int failed = 0;

    if (host_port_parse(span_str(address), &hp) != HOST_PORT_OK) {
        log_listener_failed(address, -EINVAL);
        return false;
    }
    failed = listener_open(&hp.addr, hp.addr_len, &to->fd);
    if (failed == -EAFNOSUPPORT && hp.any) {
        /* No IPv6 here: every address is every IPv4 address. */
        struct sockaddr_storage any = {.ss_family = AF_INET};

        ((struct sockaddr_in *)&any)->sin_port = htons(hp.port);
        failed = listener_open(&any, sizeof(struct sockaddr_in), &to->fd);
    }
    if (failed != 0) {
        log_listener_failed(address, failed);
        return false;
    }
    to->address = address;
    to->surface = plan->surface;
    return true;
}

size_t relay_plan(
    const struct config *config, struct relay_plan ret[RELAY_LISTENERS])
{
    const char *metrics = config->text[CONFIG_METRICS_LISTEN];
    size_t count = 0;

    if (!config->insecure)
        return 0; /* nothing serves TLS yet */
    ret[count++] = (struct relay_plan){
        .address = config->text[CONFIG_INSECURE_LISTEN],
        .label = "--insecure-listen",
        .surface = CONN_PUBLIC,
    };
    if (metrics[0] != '\0') {
        ret[count++] = (struct relay_plan){
            .address = metrics,
            .label = "--metrics-listen",
            .surface = CONN_METRICS,
        };
    }
    return count;
}

bool relay_bind(struct relay *relay)
{
    struct relay_plan plan[RELAY_LISTENERS];
    size_t count = relay_plan(relay->config, plan);

    for (size_t i = 0; i < count; i++) {
        if (!bind_one(&relay->sockets[i], &plan[i]))
            return false;
    }
    return true;
}

static void on_accept(
    struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct relay *relay = l->owner;
    size_t index = (size_t)(l - relay->listeners);

    conn_accept(relay, fd, peer, relay->sockets[index].surface);
}

/* Once a second is often enough to know it. */
static void on_exhausted(struct listener *l, int error)
{
    struct relay *relay = l->owner;
    uint64_t now_ms = worker_now_ms(&relay->worker);

    if (relay->exhausted_logged_ms != 0 &&
        now_ms - relay->exhausted_logged_ms < 1000)
        return;
    relay->exhausted_logged_ms = now_ms;
    LOG(LOG_WARN, "descriptors_exhausted",
        LOG_TEXT(LOG_ERR, uv_strerror(error)),
        LOG_TEXT(LOG_FIX, "raise RLIMIT_NOFILE or lower --max-connections"));
}

/* The last connection of a drain is gone, or its time is over. */
static void end_drain(struct relay *relay)
{
    timer_cancel(&relay->worker.timers, &relay->drain_timer);
    worker_stop(&relay->worker);
}

static void on_drain_late(struct timer *t, uint64_t now_ms)
{
    struct relay *relay = relay_of_drain(t);

    (void)now_ms;
    relay->drain_late = true;
    end_drain(relay);
}

void relay_conn_gone(struct relay *relay, const struct conn *c)
{
    assert(relay->conn_count > 0);
    relay->conn_count--;
    if (c->upgraded)
        relay->upgraded_count--;
    if (relay->draining && relay->conn_count == 0)
        end_drain(relay);
}

static void start_drain(struct relay *relay)
{
    struct conn *next = NULL;

    if (relay->draining)
        return;
    relay->draining = true;
    log_write(LOG_INFO, "shutdown signal received; draining", NULL, 0);
    timer_set(&relay->worker.timers, &relay->drain_timer,
        worker_now_ms(&relay->worker) + LIMIT_DRAIN_MS);
    for (size_t i = 0; i < RELAY_LISTENERS; i++)
        listener_stop(&relay->listeners[i]);
    for (struct conn *c = relay->conns; c != NULL; c = next) {
        next = c->next;
        session_drain(c);
    }
    conn_flush_dirty(relay);
    if (relay->conn_count == 0)
        end_drain(relay);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    start_drain(handle->data);
}

static int watch_signal(struct relay *relay, uv_signal_t *handle, int number)
{
    int failed = uv_signal_init(&relay->worker.loop, handle);

    if (failed != 0)
        return failed;
    handle->data = relay;
    return uv_signal_start(handle, on_signal, number);
}

static int start_listeners(struct relay *relay)
{
    for (size_t i = 0; i < RELAY_LISTENERS; i++) {
        struct listener *l = &relay->listeners[i];
        int failed = 0;

        if (relay->sockets[i].fd < 0)
            continue;
        l->owner = relay;
        l->accept = on_accept;
        l->exhausted = on_exhausted;
        if (relay->sockets[i].surface == CONN_METRICS) {
            LOG(LOG_INFO, "starting metrics listener",
                LOG_TEXT(LOG_LISTEN, relay->sockets[i].address));
        }
        failed = listener_start(l, &relay->worker, relay->sockets[i].fd);
        if (failed != 0)
            return failed;
        relay->sockets[i].fd = -1;
    }
    return 0;
}

static void drop_all(struct relay *relay)
{
    while (relay->conns != NULL) {
        struct conn *c = relay->conns;

        session_drain(c);
        conn_drop(c);
    }
}

int relay_serve(struct relay *relay)
{
    int failed = watch_signal(relay, &relay->terminated, SIGTERM);

    relay->drain_timer.fn = on_drain_late;
    if (failed == 0)
        failed = watch_signal(relay, &relay->interrupted, SIGINT);
    if (failed == 0)
        failed = start_listeners(relay);
    if (failed != 0)
        return failed;
    worker_run(&relay->worker);
    if (relay->drain_late) {
        LOG(LOG_WARN, "shutdown deadline exceeded; force-closed listeners",
            LOG_TEXT(LOG_ERR, "connections did not end in time"));
        LOG(LOG_WARN, "drain incomplete",
            LOG_TEXT(LOG_ERR, "connections did not end in time"));
    } else {
        log_write(LOG_INFO, "shutdown complete", NULL, 0);
    }
    return 0;
}

void relay_done(struct relay *relay)
{
    for (size_t i = 0; i < RELAY_LISTENERS; i++) {
        listener_stop(&relay->listeners[i]);
        if (relay->sockets[i].fd >= 0)
            (void)close(relay->sockets[i].fd);
    }
    drop_all(relay);
    worker_done(&relay->worker);
    registry_done(&relay->registry);
}
