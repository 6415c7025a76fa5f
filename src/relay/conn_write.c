#include "relay/conn_part.h"

#include <errno.h>

#include "relay/limits.h"
#include "relay/memory.h"
#include "relay/relay.h"
#include "relay/session.h"

void conn_mark_dirty(struct conn *c)
{
    if (c->dirty || c->state == CONN_DEAD)
        return;
    c->dirty = true;
    c->next_dirty = c->shard->dirty;
    c->shard->dirty = c;
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
        &c->out, &(struct outbox_item){.len = bytes.len, .kind = kind});
    conn_mark_dirty(c);
    return true;
}

void conn_count_sent(struct conn *c, size_t len)
{
    static const enum metric sent[] = {
        [CONN_STRANGER] = METRIC_SENT_OTHER,
        [CONN_BINARY] = METRIC_SENT_BINARY,
        [CONN_PHONE] = METRIC_SENT_PHONE,
    };

    conn_count_bytes(c, sent, len);
}

/* Tell who queued them that items have been written. */
static void report_done(struct conn *c, size_t len)
{
    uint64_t now_ns = 0;
    struct outbox_item item;

    conn_count_sent(c, len);
    while (c->state != CONN_DEAD && outbox_next_done(&c->out, &item)) {
        c->write_by = 0;
        if (item.kind == OUTBOX_FRAME && now_ns == 0)
            now_ns = worker_clock_ns();
        session_item_sent(c, &item, now_ns);
    }
}

void conn_write_failed(struct conn *c, const char *why)
{
    session_ended(c, SESSION_WRITE_FAILED, why);
    conn_drop(c);
}

static void write_items(struct conn *c)
{
    while (c->state != CONN_DEAD && !outbox_is_empty(&c->out)) {
        struct span bytes = outbox_pending(&c->out);
        ssize_t put = stream_write(&c->stream, bytes.ptr, bytes.len);

        if (put == -EAGAIN)
            return;
        if (put < 0) {
            conn_write_failed(c, "connection closed by the peer");
            return;
        }
        outbox_sent(&c->out, (size_t)put);
        report_done(c, (size_t)put);
    }
}

bool conn_is_behind(const struct conn *c)
{
    return !outbox_is_empty(&c->out) || stream_unsent(&c->stream) > 0;
}

/* Will the socket take it once it can?  TLS may want to be read first. */
static bool waits_for_socket(const struct conn *c)
{
    return c->stream.tls == NULL ? !outbox_is_empty(&c->out)
                                 : stream_unsent(&c->stream) > 0;
}

static void keep_write_clock(struct conn *c)
{
    if (c->write_by == 0)
        c->write_by = worker_now_ms(&c->shard->worker) + LIMIT_WRITE_MS;
    conn_retime(c);
}

static void flush(struct conn *c)
{
    int failed = c->state == CONN_DEAD ? 0 : stream_flush(&c->stream);
    bool behind = false;

    if (failed == 0) {
        write_items(c);
    } else if (failed != -EAGAIN) {
        conn_write_failed(c, "connection closed by the peer");
    }
    if (c->state == CONN_DEAD)
        return;
    behind = conn_is_behind(c);
    if (!behind && c->state == CONN_LINGER) {
        stream_end(&c->stream);
        behind = conn_is_behind(c);
    }
    if (behind) {
        keep_write_clock(c);
        outbox_settle(&c->out);
    } else {
        c->write_by = 0;
    }
    conn_set_interest(
        c, waits_for_socket(c) ? CONN_WAITS_TO_WRITE : CONN_WAITS_FOR_NOTHING);
    session_flushed(c);
    memory_account(c);
}

void conn_flush_dirty(struct shard *shard)
{
    while (shard->dirty != NULL) {
        struct conn *c = shard->dirty;

        shard->dirty = c->next_dirty;
        c->next_dirty = NULL;
        c->dirty = false;
        flush(c);
    }
}

void conn_unmark(struct conn *c)
{
    struct conn **at = &c->shard->dirty;

    if (!c->dirty)
        return;
    while (*at != c)
        at = &(*at)->next_dirty;
    *at = c->next_dirty;
    c->dirty = false;
}
