#include "relay/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/frames.h"
#include "relay/limits.h"
#include "relay/relay.h"
#include "relay/session.h"

#define TO(state) (1U << (state))

/* clang-format off */
static const struct {
    const char *name;
    uint32_t limit_ms; /* time allowed in this state; 0: none */
    uint32_t next;     /* states that may follow, as bits */
} states[] = {
    [CONN_HEAD]    = {"head",    LIMIT_HEAD_MS,   TO(CONN_OPEN) | TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_OPEN]    = {"open",    0,               TO(CONN_CLOSING) | TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_CLOSING] = {"closing", LIMIT_CLOSE_MS,  TO(CONN_LINGER) | TO(CONN_DEAD)},
    [CONN_LINGER]  = {"linger",  LIMIT_LINGER_MS, TO(CONN_DEAD)},
    [CONN_DEAD]    = {"dead",    0,               0},
};
/* clang-format on */

static struct worker *worker_of(const struct conn *c)
{
    return &c->relay->worker;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* Have the timer fire no later than the earliest deadline.  Deadlines that
 * move away leave it alone: it finds nothing due and is set again. */
static void retime(struct conn *c)
{
    uint64_t at = earliest(c->state_by, earliest(c->ping_at, c->pong_by));

    at = earliest(at, earliest(c->message_by, c->write_by));
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
    c->state_by = states[to].limit_ms == 0
                      ? 0
                      : worker_now_ms(worker_of(c)) + states[to].limit_ms;
    retime(c);
}

void conn_mark_dirty(struct conn *c)
{
    if (c->dirty || c->state == CONN_DEAD)
        return;
    c->dirty = true;
    c->next_dirty = c->relay->dirty;
    c->relay->dirty = c;
}

bool conn_append(struct conn *c, struct span bytes, enum outbox_kind kind)
{
    uint8_t *room = NULL;

    if (c->state == CONN_DEAD)
        return false;
    room = outbox_reserve(&c->out, bytes.len);
    if (room == NULL) {
        session_ended(c, SESSION_LOST, "out of memory");
        conn_drop(c);
        return false;
    }
    memcpy(room, bytes.ptr, bytes.len);
    outbox_commit(
        &c->out, (struct outbox_item){.len = bytes.len, .kind = kind});
    conn_mark_dirty(c);
    return true;
}

static void set_interest(struct conn *c, bool write)
{
    bool paused = c->state == CONN_OPEN && c->role == CONN_PHONE && c->listed &&
                  c->slot->paused;
    bool flooded = c->out.control_bytes > LIMIT_CONTROL_BYTES;
    unsigned events = write ? STREAM_WRITE : 0;

    if (!paused && !flooded)
        events |= STREAM_READ;
    stream_want(&c->stream, events);
}

void conn_update_interest(struct conn *c)
{
    if (c->state != CONN_DEAD)
        set_interest(c, (c->stream.wanted & STREAM_WRITE) != 0);
}

/* Tell who queued them that items have been written. */
static void report_done(struct conn *c)
{
    struct outbox_item item;

    while (c->state != CONN_DEAD && outbox_next_done(&c->out, &item)) {
        c->write_by = 0;
        session_item_sent(c, &item);
    }
}

static void write_failed(struct conn *c, const char *why)
{
    session_ended(c, SESSION_WRITE_FAILED, why);
    conn_drop(c);
}

static void flush(struct conn *c)
{
    while (c->state != CONN_DEAD && !outbox_is_empty(&c->out)) {
        struct span bytes = outbox_pending(&c->out);
        ssize_t put = stream_write(&c->stream, bytes.ptr, bytes.len);

        if (put == -EAGAIN)
            break;
        if (put < 0) {
            write_failed(c, "connection closed by the peer");
            return;
        }
        outbox_sent(&c->out, (size_t)put);
        report_done(c);
    }
    if (c->state == CONN_DEAD)
        return;
    if (!outbox_is_empty(&c->out)) {
        if (c->write_by == 0)
            c->write_by = worker_now_ms(worker_of(c)) + LIMIT_WRITE_MS;
        retime(c);
    } else if (c->state == CONN_LINGER) {
        stream_end(&c->stream);
    }
    set_interest(c, !outbox_is_empty(&c->out));
    session_flushed(c);
}

void conn_flush_dirty(struct relay *relay)
{
    while (relay->dirty != NULL) {
        struct conn *c = relay->dirty;

        relay->dirty = c->next_dirty;
        c->next_dirty = NULL;
        c->dirty = false;
        flush(c);
    }
}

/* A conn that dies while marked is taken off the list: the loop frees it
 * before the next flush could meet it. */
static void unmark(struct conn *c)
{
    struct conn **at = &c->relay->dirty;

    if (!c->dirty)
        return;
    while (*at != c)
        at = &(*at)->next_dirty;
    *at = c->next_dirty;
    c->dirty = false;
}

static void on_closed(struct stream *s)
{
    struct conn *c =
        (struct conn *)(void *)((char *)s - offsetof(struct conn, stream));

    outbox_done(&c->out);
    free(c->partial);
    free(c->fragments);
    free(c->prefix);
    free(c->name);
    free(c);
}

void conn_drop(struct conn *c)
{
    struct relay *relay = c->relay;

    if (c->state == CONN_DEAD)
        return;
    assert(!c->listed);
    enter(c, CONN_DEAD);
    unmark(c);
    timer_cancel(&worker_of(c)->timers, &c->timer);
    stream_close(&c->stream);
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        relay->conns = c->next;
    }
    if (c->next != NULL)
        c->next->prev = c->prev;
    relay_conn_gone(relay, c);
}

void conn_open(struct conn *c)
{
    uint64_t now_ms = worker_now_ms(worker_of(c));

    enter(c, CONN_OPEN);
    c->ping_at = now_ms + LIMIT_HEARTBEAT_MS;
    retime(c);
}

static void stop_heartbeat(struct conn *c)
{
    c->ping_at = 0;
    c->pong_by = 0;
    c->message_by = 0;
}

void conn_close(struct conn *c, uint16_t code, const char *reason)
{
    uint8_t frame[WS_CLOSE_FRAME_MAX];
    size_t len = ws_close_encode(frame, code, span_str(reason));

    if (c->state != CONN_OPEN)
        return;
    assert(!c->listed);
    outbox_drop_unsent(&c->out);
    stop_heartbeat(c);
    if (conn_append(c, span_of(frame, len), OUTBOX_CONTROL))
        enter(c, CONN_CLOSING);
}

void conn_await_close(struct conn *c)
{
    assert(!c->listed);
    stop_heartbeat(c);
    enter(c, CONN_CLOSING);
}

void conn_finish(struct conn *c)
{
    if (c->state == CONN_LINGER || c->state == CONN_DEAD)
        return;
    stop_heartbeat(c);
    enter(c, CONN_LINGER);
    conn_mark_dirty(c);
}

static void send_ping(struct conn *c, uint64_t now_ms)
{
    uint8_t frame[WS_SERVER_HEADER_MAX + sizeof(c->ping_payload)];
    size_t len = ws_frame_encode(frame, WS_PING, sizeof(c->ping_payload));

    c->ping_payload = ((uint64_t)c->number << 32) | ++c->relay->ping_count;
    memcpy(frame + len, &c->ping_payload, sizeof(c->ping_payload));
    c->ping_at = now_ms + LIMIT_HEARTBEAT_MS;
    if (c->pong_by == 0)
        c->pong_by = now_ms + LIMIT_PONG_MS;
    (void)conn_append(
        c, span_of(frame, len + sizeof(c->ping_payload)), OUTBOX_CONTROL);
}

static bool is_due(uint64_t deadline, uint64_t now_ms)
{
    return deadline != 0 && now_ms >= deadline;
}

static void act_on_deadlines(struct conn *c, uint64_t now_ms)
{
    if (is_due(c->state_by, now_ms)) {
        conn_drop(c);
    } else if (is_due(c->write_by, now_ms)) {
        write_failed(c, "write timed out");
    } else if (is_due(c->message_by, now_ms)) {
        session_ended(c, SESSION_LOST, "message not completed in time");
        conn_drop(c);
    } else if (is_due(c->pong_by, now_ms)) {
        session_ended(c, SESSION_LOST, "heartbeat timeout");
        conn_close(c, 1011, "heartbeat timeout");
    } else if (is_due(c->ping_at, now_ms)) {
        send_ping(c, now_ms);
    }
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
    struct conn *c =
        (struct conn *)(void *)((char *)t - offsetof(struct conn, timer));
    struct relay *relay = c->relay;

    act_on_deadlines(c, now_ms);
    retime(c);
    conn_flush_dirty(relay);
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

static void on_ready(struct stream *s, unsigned events)
{
    struct conn *c =
        (struct conn *)(void *)((char *)s - offsetof(struct conn, stream));
    struct relay *relay = c->relay;

    if (events & STREAM_WRITE)
        conn_mark_dirty(c);
    if (events & STREAM_READ) {
        switch (c->state) {
        case CONN_HEAD:
            frames_read_head(c);
            break;
        case CONN_OPEN:
        case CONN_CLOSING:
            frames_read(c);
            retime(c);
            break;
        case CONN_LINGER:
            discard(c);
            break;
        case CONN_DEAD:
            break;
        }
    }
    conn_flush_dirty(relay);
}

static void name_peer(struct conn *c, const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
    const void *addr = &v4->sin_addr;
    int family = AF_INET;

    if (peer->ss_family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

        family = mapped ? AF_INET : AF_INET6;
        addr = mapped ? (const void *)&v6->sin6_addr.s6_addr[12]
                      : (const void *)&v6->sin6_addr;
    }
    if (inet_ntop(family, addr, c->remote, sizeof(c->remote)) == NULL)
        c->remote[0] = '\0';
}

void conn_accept(struct relay *relay, int fd,
    const struct sockaddr_storage *peer, enum conn_surface surface)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (c == NULL || stream_init(&c->stream, &relay->worker, fd) != 0) {
        free(c);
        (void)close(fd);
        return;
    }
    c->stream.ready = on_ready;
    c->stream.closed = on_closed;
    c->timer.fn = on_timer;
    c->relay = relay;
    c->surface = surface;
    name_peer(c, peer);
    c->next = relay->conns;
    if (c->next != NULL)
        c->next->prev = c;
    relay->conns = c;
    relay->conn_count++;
    c->state_by = worker_now_ms(&relay->worker) + states[CONN_HEAD].limit_ms;
    retime(c);
    set_interest(c, false);
}
