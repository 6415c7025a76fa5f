/* The control shard's side of wake: what the push process says. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/text.h"
#include "relay/log.h"
#include "relay/wake_part.h"

#define NS_PER_MS UINT64_C(1000000)

static struct wakes *wakes_of(struct stream *s)
{
    return (struct wakes *)(void *)((char *)s - offsetof(struct wakes, stream));
}

/* ---- the end of a wake ---- */

struct result {
    enum push_outcome outcome;
    unsigned requests;
    struct span text; /* FCM's id of it, or what failed */
};

static void count(struct wakes *w, const struct result *r, uint64_t took_ms)
{
    static const enum metric outcomes[] = {
        [PUSH_SENT] = METRIC_PUSH_SENT,
        [PUSH_UNREGISTERED] = METRIC_PUSH_UNREGISTERED,
        [PUSH_SEND_FAILED] = METRIC_PUSH_SEND_FAILED,
        [PUSH_TOKEN_FETCH_FAILED] = METRIC_PUSH_TOKEN_FETCH_FAILED,
    };
    struct metrics *m = &w->relay->control.metrics;

    _Static_assert(ARRAY_LEN(outcomes) == PUSH_OUTCOME_COUNT,
        "every enum push_outcome needs a metric");
    metrics_count(m, outcomes[r->outcome]);
    metrics_observe(m, HISTOGRAM_PUSH_DURATION, took_ms);
    if (r->requests > 1)
        metrics_add(m, METRIC_PUSH_RETRIES, r->requests - 1);
}

static void end_wake(struct wakes *w, uint32_t id, const struct result *r)
{
    struct wake_slot *slot = wake_slot_take(w, id);
    char duration[32];
    struct text t = text_over(duration, sizeof(duration));
    uint64_t took_ms = 0;

    if (slot == NULL)
        return; /* it was given up before */
    took_ms = worker_now_ms(&w->relay->control.worker);
    took_ms -= slot->began_ms < took_ms ? slot->began_ms : took_ms;
    duration_add(&t, took_ms * NS_PER_MS);
    count(w, r, took_ms);

    struct log_field fields[4] = {
        LOG_FIELD(LOG_SERVER_ID, span_of(slot->server_id, slot->server_id_len)),
        LOG_TEXT(LOG_TOKEN_FP, slot->token_fp),
        LOG_TEXT(LOG_DURATION, duration),
        LOG_FIELD(
            r->outcome == PUSH_SENT ? LOG_FCM_MESSAGE_ID : LOG_ERR, r->text),
    };
    bool is_sent = r->outcome == PUSH_SENT;

    log_write(is_sent ? LOG_INFO : LOG_WARN,
        is_sent ? "push_wake_sent" : "push_wake_send_failed", fields,
        ARRAY_LEN(fields) - (is_sent && r->text.len == 0));
    wake_slot_free(slot);
}

/* Everything that began before then. */
static void give_up(struct wakes *w, uint64_t before_ms, const char *err)
{
    const struct result failed = {
        .outcome = PUSH_SEND_FAILED, .text = span_str(err)};

    for (size_t i = 0; i < LIMIT_WAKES; i++) {
        uint32_t id =
            atomic_load_explicit(&w->slots[i].holder, memory_order_relaxed);

        if (id >= WAKE_SLOT_FIRST && atomic_load_explicit(&w->slots[i].began_ms,
                                         memory_order_relaxed) < before_ms)
            end_wake(w, id, &failed);
    }
}

void wake_tick(struct relay *relay)
{
    uint64_t now_ms = worker_now_ms(&relay->control.worker);

    if (relay->wakes.is_on && now_ms > WAKE_ANSWER_MS) {
        give_up(&relay->wakes, now_ms - WAKE_ANSWER_MS,
            "relay: push process did not answer");
    }
}

/* ---- messages ---- */

static void close_channel(struct wakes *w)
{
    atomic_store_explicit(&w->is_down, true, memory_order_relaxed);
    if (w->is_open)
        stream_close(&w->stream);
    w->is_open = false;
}

/* For good: its supervisor is gone, or it makes no sense. */
static void lose(struct wakes *w, const char *err)
{
    LOG(LOG_ERROR, "push_process_lost", LOG_TEXT(LOG_ERR, err),
        LOG_TEXT(LOG_FIX, "restart the relay; until then nobody is woken"));
    give_up(w, UINT64_MAX, "relay: push process is gone");
    close_channel(w);
}

static void on_died(struct wakes *w, struct span how)
{
    atomic_store_explicit(&w->is_down, true, memory_order_relaxed);
    metrics_count(&w->relay->control.metrics, METRIC_PUSH_DEATHS);
    LOG(LOG_WARN, "push_process_died", LOG_FIELD(LOG_ERR, how));
    give_up(w, UINT64_MAX, "relay: push process died");
}

static void take(struct wakes *w, const struct push_message *m)
{
    switch (m->type) {
    case PUSH_STARTED:
        atomic_store_explicit(&w->is_down, false, memory_order_relaxed);
        log_write(LOG_INFO, "push_process_started", NULL, 0);
        break;
    case PUSH_RESULT:
        end_wake(w, m->id,
            &(struct result){
                .outcome = m->outcome,
                .requests = m->requests,
                .text = m->text,
            });
        break;
    case PUSH_DIED:
        on_died(w, m->text);
        break;
    case PUSH_SEND:
    case PUSH_STOP:
    case PUSH_TYPE_COUNT:
        break; /* do not travel this way */
    }
}

enum heard { HEARD_MESSAGE, HEARD_NOTHING, HEARD_END };

static enum heard hear_one(struct wakes *w)
{
    uint8_t bytes[PUSH_HEAD_LEN + PUSH_TEXT_MAX + 1]; /* one too many shows */
    struct iovec to = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    ssize_t got = stream_read(&w->stream, &to, 1);
    struct push_message message;

    if (got == -EAGAIN || got == -EINTR)
        return HEARD_NOTHING;
    if (got <= 0) {
        lose(w, "the push process and its supervisor have ended");
        return HEARD_END;
    }
    if (!push_message_parse(
            span_of(bytes, (size_t)got), PUSH_TO_RELAY, &message)) {
        lose(w, "the push process sent what is no message");
        return HEARD_END;
    }
    take(w, &message);
    return HEARD_MESSAGE;
}

/* As many as can be under way, so that nothing else waits longer. */
static void on_ready(struct stream *s, unsigned events)
{
    struct wakes *w = wakes_of(s);

    if (events & STREAM_FAILED) {
        lose(w, "there was no memory to watch its channel");
        return;
    }
    for (int i = 0; i < LIMIT_WAKES; i++) {
        if (hear_one(w) != HEARD_MESSAGE)
            return;
    }
}

static void on_closed(struct stream *s)
{
    (void)s; /* part of the relay */
}

/* ---- its life ---- */

static int make_accounts(struct wakes *w)
{
    const struct address_limits limits = {
        .burst = LIMIT_WAKE_BURST,
        .interval_ms = LIMIT_WAKE_INTERVAL_MS,
        .accounts_max = LIMIT_WAKE_ACCOUNTS,
    };

    w->accounts = address_table_new(&limits, w->relay->server_key);
    return w->accounts == NULL ? -ENOMEM : 0;
}

int wake_open(struct relay *relay, int fd)
{
    struct wakes *w = &relay->wakes;
    int failed = 0;

    w->relay = relay;
    failed = make_accounts(w);
    if (failed != 0)
        return failed;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    /* Apart from the stream's: it stays open while workers may write. */
    w->send_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (w->send_fd < 0)
        return -errno;
    w->is_on = true;
    w->stream.ready = on_ready;
    w->stream.closed = on_closed;
    failed = stream_init(&w->stream, &relay->control.worker, fd);
    if (failed != 0)
        return failed;
    w->is_open = true;
    stream_want(&w->stream, STREAM_READ);
    return 0;
}

/* The loop has ended, and its clock with it. */
static uint64_t clock_ms(void)
{
    struct timespec now = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Hear what comes until everything has ended or the time is over. */
static void await_results(struct wakes *w)
{
    struct pollfd pfd = {.fd = w->stream.fd, .events = POLLIN};
    uint64_t now_ms = clock_ms();
    uint64_t end_ms = now_ms + WAKE_CLOSE_MS;

    while (wake_count(w->relay) > 0 && now_ms < end_ms) {
        (void)poll(&pfd, 1, (int)(end_ms - now_ms));
        if (hear_one(w) == HEARD_END)
            return;
        now_ms = clock_ms();
    }
}

void wake_close(struct relay *relay)
{
    struct wakes *w = &relay->wakes;
    const struct push_message stop = {.type = PUSH_STOP};
    uint8_t bytes[PUSH_HEAD_LEN];
    size_t len = push_message_encode(&stop, bytes, sizeof(bytes));

    if (!w->is_on)
        return;
    if (w->is_open && len > 0 &&
        send(w->send_fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
            (ssize_t)len)
        await_results(w);
    give_up(w, UINT64_MAX, "relay: push process did not answer");
    close_channel(w);
}

void wake_done(struct relay *relay)
{
    struct wakes *w = &relay->wakes;

    if (!w->is_on)
        return;
    close_channel(w);
    (void)close(w->send_fd);
    address_table_free(w->accounts);
    w->accounts = NULL;
    w->is_on = false;
}
