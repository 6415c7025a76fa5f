#include "relay/conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/claim.h"
#include "relay/conn_part.h"
#include "relay/frames.h"
#include "relay/handshake.h"
#include "relay/limits.h"
#include "relay/memory.h"
#include "relay/relay.h"
#include "relay/session.h"

#define TO(state) (1U << (state))

/* clang-format off */
static const struct {
    const char *name;
    uint32_t limit_ms; /* time allowed in this state; 0: none */
    uint32_t next;     /* states that may follow, as bits */
} states[] = {
    [CONN_PROXY]   = {"proxy",   0,               TO(CONN_TLS) | TO(CONN_DEAD)},
    [CONN_TLS]     = {"tls",     0,               TO(CONN_HEAD) | TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_HEAD]    = {"head",    0,               TO(CONN_OPEN) | TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_OPEN]    = {"open",    0,               TO(CONN_CLOSING) | TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_CLOSING] = {"closing", LIMIT_CLOSE_MS,  TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_LINGER]  = {"linger",  LIMIT_LINGER_MS, TO(CONN_DEAD)},
    [CONN_DEAD]    = {"dead",    0,               0},
};
/* clang-format on */

static struct worker *worker_of(const struct conn *c)
{
    return &c->shard->worker;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* Have the timer fire no later than the earliest deadline.  Deadlines that
 * move away leave it alone: it finds nothing due and is set again. */
void conn_retime(struct conn *c)
{
    uint64_t at = earliest(c->state_by, earliest(c->ping_at, c->pong_by));

    at = earliest(at, earliest(c->message_by, c->write_by));
    at = earliest(at, c->read_at);
    if (at == 0 || c->state == CONN_DEAD)
        return;
    if (!timer_is_set(&c->timer) || at < c->timer.at_ms)
        timer_set(&worker_of(c)->timers, &c->timer, at);
}

/* The only assignment to c->state after creation. */
static void enter(struct conn *c, enum conn_state to)
{
    assert(states[c->state].next & TO(to));
    c->state = to;
    if (to <= CONN_HEAD)
        return; /* one clock runs from accept to the end of the head */
    if (to == CONN_CLOSING || to == CONN_LINGER)
        shard_count_pending(c); /* the end holds no place of the cap */
    c->state_by = states[to].limit_ms == 0
                      ? 0
                      : worker_now_ms(worker_of(c)) + states[to].limit_ms;
    conn_retime(c);
}

/* Not so while its binary is behind. */
static bool is_read(const struct conn *c)
{
    return c->state != CONN_OPEN || c->role != CONN_PHONE || !c->listed ||
           !c->slot->paused;
}

void conn_set_interest(struct conn *c, enum conn_waits waits)
{
    bool flooded = c->out.control_bytes > LIMIT_CONTROL_BYTES ||
                   stream_is_flooded(&c->stream);
    unsigned events = waits == CONN_WAITS_TO_WRITE ? STREAM_WRITE : 0;

    if (c->held)
        events |= STREAM_HANGUP;
    if (is_read(c) && !flooded && !c->held && c->read_at == 0)
        events |= STREAM_READ;
    stream_want(&c->stream, events);
}

void conn_update_interest(struct conn *c)
{
    bool writes = (stream_wanted(&c->stream) & STREAM_WRITE) != 0;

    if (c->state == CONN_DEAD)
        return;
    conn_set_interest(c, writes ? CONN_WAITS_TO_WRITE : CONN_WAITS_FOR_NOTHING);
}

void conn_count_bytes(struct conn *c, const enum metric by_role[3], size_t len)
{
    metrics_add(&c->shard->metrics, by_role[c->role], len);
}

/* So many bytes came over the socket: do they come faster than they may? */
static void charge(struct conn *c, size_t len)
{
    uint64_t now_ms = worker_now_ms(worker_of(c));
    uint64_t pause = 0;

    if (c->state != CONN_OPEN || len == 0)
        return;
    pause = rate_take(&c->rate, &c->shard->relay->rate, len, now_ms);
    if (pause == 0)
        return;
    metrics_count(&c->shard->metrics, METRIC_RATE_BYTES);
    c->read_at = now_ms + pause;
    conn_retime(c);
    conn_update_interest(c);
}

void conn_received(struct conn *c, size_t len)
{
    static const enum metric received[] = {
        [CONN_STRANGER] = METRIC_RECEIVED_OTHER,
        [CONN_BINARY] = METRIC_RECEIVED_BINARY,
        [CONN_PHONE] = METRIC_RECEIVED_PHONE,
    };

    conn_count_bytes(c, received, len);
    charge(c, stream_received(&c->stream, len));
}

static struct conn *conn_of_stream(struct stream *s)
{
    return (struct conn *)(void *)((char *)s - offsetof(struct conn, stream));
}

/* Everything that it owns but its descriptor. */
static void release(struct conn *c)
{
    stream_stop_tls(&c->stream);
    outbox_done(&c->out);
    claim_forget(c);
    free(c->partial);
    free(c->fragments);
    free(c->backlog);
    free(c->prefix);
    free(c->name);
    free(c);
}

static void on_closed(struct stream *s)
{
    release(conn_of_stream(s));
}

void conn_free(struct conn *c)
{
    if (c->stream.fd >= 0)
        (void)close(c->stream.fd);
    release(c);
}

void conn_drop(struct conn *c)
{
    struct shard *shard = c->shard;

    if (c->state == CONN_DEAD)
        return;
    assert(!c->listed);
    claim_withdraw(c);
    enter(c, CONN_DEAD);
    conn_unmark(c);
    memory_forget(c);
    timer_cancel(&shard->worker.timers, &c->timer);
    stream_close(&c->stream);
    shard_conn_gone(shard, c);
}

bool conn_leave(struct conn *c)
{
    assert(c->state == CONN_HEAD);
    if (!stream_detach(&c->stream))
        return false;
    conn_unmark(c);
    memory_forget(c);
    timer_cancel(&worker_of(c)->timers, &c->timer);
    return true;
}

void conn_enter_tls(struct conn *c)
{
    enter(c, CONN_TLS);
}

void conn_enter_head(struct conn *c)
{
    enter(c, CONN_HEAD);
    shard_handshake_done(c);
}

void conn_open(struct conn *c)
{
    uint64_t now_ms = worker_now_ms(worker_of(c));

    enter(c, CONN_OPEN);
    c->opened_ms = now_ms;
    metrics_count_response(&c->shard->metrics, 101);
    c->ping_at = now_ms + LIMIT_HEARTBEAT_MS;
    conn_retime(c);
}

void conn_hold(struct conn *c)
{
    c->held = true;
    conn_update_interest(c);
}

void conn_release(struct conn *c)
{
    uint8_t *bytes = c->backlog;
    size_t len = c->backlog_len;

    if (!c->held)
        return;
    c->held = false;
    c->backlog = NULL;
    c->backlog_len = 0;
    conn_update_interest(c);
    if (len > 0)
        frames_feed(c, bytes, len);
    free(bytes);
}

/* Nothing of its frames counts any more. */
static void stop_frames(struct conn *c)
{
    c->ping_at = 0;
    c->pong_by = 0;
    c->message_by = 0;
    c->read_at = 0;
    frames_give_up(c);
    conn_release(c);
}

static void send_close(struct conn *c, uint16_t code, const char *reason)
{
    uint8_t frame[WS_CLOSE_FRAME_MAX];
    size_t len = ws_close_encode(frame, code, span_str(reason));

    if (!conn_append(c, span_of(frame, len), OUTBOX_CONTROL))
        return;
    metrics_count_close(&c->shard->metrics, code);
    enter(c, CONN_CLOSING);
    stop_frames(c);
}

void conn_close(struct conn *c, uint16_t code, const char *reason)
{
    if (c->state != CONN_OPEN)
        return;
    assert(!c->listed);
    claim_withdraw(c);
    outbox_drop_unsent(&c->out);
    send_close(c, code, reason);
}

void conn_close_last(struct conn *c, uint16_t code, const char *reason)
{
    if (c->state != CONN_OPEN)
        return;
    assert(!c->listed);
    claim_withdraw(c);
    send_close(c, code, reason);
}

void conn_await_close(struct conn *c)
{
    assert(!c->listed);
    enter(c, CONN_CLOSING);
    stop_frames(c);
}

void conn_finish(struct conn *c)
{
    if (c->state == CONN_LINGER || c->state == CONN_DEAD)
        return;
    enter(c, CONN_LINGER);
    stop_frames(c);
    conn_mark_dirty(c);
}

void conn_ping(struct conn *c)
{
    uint8_t frame[WS_SERVER_HEADER_MAX + sizeof(c->ping_payload)];
    size_t len = ws_frame_encode(frame, WS_PING, sizeof(c->ping_payload));
    uint64_t now_ms = worker_now_ms(worker_of(c));

    c->ping_at = now_ms + LIMIT_HEARTBEAT_MS;
    if (c->ping_payload != 0)
        return;
    c->ping_payload = ((uint64_t)c->number << 32) | ++c->shard->ping_count;
    c->pong_by = now_ms + LIMIT_PONG_MS;
    memcpy(frame + len, &c->ping_payload, sizeof(c->ping_payload));
    (void)conn_append(
        c, span_of(frame, len + sizeof(c->ping_payload)), OUTBOX_CONTROL);
}

static bool is_due(uint64_t deadline, uint64_t now_ms)
{
    return deadline != 0 && now_ms >= deadline;
}

/* The time of a state is over. */
static void drop_late(struct conn *c)
{
    static const enum metric late[] = {
        [CONN_PROXY] = METRIC_DEADLINE_PROXY,
        [CONN_TLS] = METRIC_DEADLINE_TLS,
        [CONN_HEAD] = METRIC_DEADLINE_HEAD,
        [CONN_CLOSING] = METRIC_DEADLINE_CLOSE,
        [CONN_LINGER] = METRIC_DEADLINE_LINGER,
    };

    if (c->awaits) {
        handshake_give_up(c);
        return;
    }
    metrics_count(&c->shard->metrics, late[c->state]);
    conn_drop(c);
}

static void act_on_deadlines(struct conn *c, uint64_t now_ms)
{
    struct metrics *m = &c->shard->metrics;

    if (!is_read(c)) { /* what it owes us may have come */
        if (c->pong_by != 0)
            c->pong_by = now_ms + LIMIT_PONG_MS;
        if (c->message_by != 0)
            c->message_by = now_ms + LIMIT_MESSAGE_MS;
    }
    if (is_due(c->state_by, now_ms)) {
        drop_late(c);
    } else if (is_due(c->write_by, now_ms)) {
        metrics_count(m, METRIC_DEADLINE_WRITE);
        conn_write_failed(c, "write timed out");
    } else if (is_due(c->message_by, now_ms)) {
        metrics_count(m, METRIC_DEADLINE_MESSAGE);
        session_ended(c, SESSION_LOST, "message not completed in time");
        conn_drop(c);
    } else if (is_due(c->pong_by, now_ms)) {
        metrics_count(m, c->role == CONN_BINARY ? METRIC_HEARTBEAT_BINARY
                                                : METRIC_HEARTBEAT_PHONE);
        session_ended(c, 1011, "heartbeat timeout");
        conn_close(c, 1011, "heartbeat timeout");
    } else if (is_due(c->ping_at, now_ms)) {
        conn_ping(c);
    }
    if (is_due(c->read_at, now_ms)) {
        c->read_at = 0;
        conn_update_interest(c);
    }
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
    struct conn *c =
        (struct conn *)(void *)((char *)t - offsetof(struct conn, timer));
    struct shard *shard = c->shard;

    act_on_deadlines(c, now_ms);
    conn_retime(c);
    conn_flush_dirty(shard);
}

/* Read what is there and throw it away, so that closing does not reset the
 * connection under the peer's last unread bytes. */
static void discard(struct conn *c)
{
    struct worker *w = worker_of(c);
    struct iovec to = {.iov_base = w->scratch, .iov_len = WORKER_SCRATCH_LEN};
    ssize_t got = stream_read(&c->stream, &to, 1);

    if (got == 0 || (got < 0 && got != -EAGAIN))
        conn_drop(c);
}

static void on_readable(struct conn *c)
{
    switch (c->state) {
    case CONN_PROXY:
        handshake_read_proxy(c);
        break;
    case CONN_TLS:
        handshake_read_tls(c);
        break;
    case CONN_HEAD:
        frames_read_head(c);
        break;
    case CONN_OPEN:
    case CONN_CLOSING:
        frames_read(c);
        break;
    case CONN_LINGER:
        discard(c);
        break;
    case CONN_DEAD:
        break;
    }
}

/* TLS was read.  Records without data count, too; and what TLS has to say to
 * them goes out, and so does what could not before they came. */
static void after_read(struct conn *c)
{
    if (c->stream.tls == NULL || c->state == CONN_DEAD || c->moves_to != NULL)
        return;
    charge(c, stream_received(&c->stream, 0));
    if (!(stream_wanted(&c->stream) & STREAM_WRITE) && conn_is_behind(c)) {
        conn_mark_dirty(c);
    } else if (stream_is_flooded(&c->stream)) {
        conn_update_interest(c); /* it waits for the socket already */
    }
}

static void on_ready(struct stream *s, unsigned events)
{
    struct conn *c = conn_of_stream(s);
    struct shard *shard = c->shard;

    if (events & STREAM_FAILED) {
        session_ended(c, SESSION_LOST, "out of memory");
        conn_drop(c);
        conn_flush_dirty(shard);
        return;
    }
    if (events & STREAM_WRITE)
        conn_mark_dirty(c);
    if (c->challenge != NULL && (events & (STREAM_READ | STREAM_HANGUP))) {
        claim_abandoned(c); /* it is held: what it has to say is its end */
    } else if (c->awaits && (events & (STREAM_READ | STREAM_HANGUP))) {
        handshake_abandoned(c);
    } else if (events & STREAM_READ) {
        on_readable(c);
        after_read(c);
    }
    memory_account(c);
    if (shard->dirty != NULL)
        conn_flush_dirty(shard);
}

struct conn *conn_new(int fd, const struct sockaddr_storage *peer,
    enum conn_surface surface, enum conn_state first)
{
    struct conn *c = calloc(1, sizeof(*c));

    assert(first <= CONN_HEAD);
    if (c == NULL)
        return NULL;
    c->state = first;
    c->stream.fd = fd;
    c->stream.ready = on_ready;
    c->stream.closed = on_closed;
    c->timer.fn = on_timer;
    c->surface = surface;
    /* A peer that is neither IPv4 nor IPv6 is ::, and all such are one. */
    if (ip_address_from_sockaddr((const struct sockaddr *)peer, &c->peer))
        (void)ip_address_text(&c->peer, c->remote);
    return c;
}

bool conn_join(struct conn *c, struct shard *shard)
{
    if (stream_init(&c->stream, &shard->worker, c->stream.fd) != 0)
        return false;
    c->shard = shard;
    c->out.pool = &shard->rooms;
    if (c->state_by == 0)
        c->state_by = worker_now_ms(&shard->worker) + LIMIT_HEAD_MS;
    conn_retime(c);
    conn_set_interest(c, CONN_WAITS_FOR_NOTHING);
    return true;
}

void conn_list_append(struct conn_list *list, struct conn *c)
{
    c->next = NULL;
    c->prev = list->last;
    if (c->prev != NULL) {
        c->prev->next = c;
    } else {
        list->first = c;
    }
    list->last = c;
}

void conn_list_remove(struct conn_list *list, struct conn *c)
{
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        list->first = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    } else {
        list->last = c->prev;
    }
    c->prev = NULL;
    c->next = NULL;
}
