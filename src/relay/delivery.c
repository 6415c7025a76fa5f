#include "relay/delivery.h"

#include <assert.h>

#include "relay/session.h"
#include "relay/shard.h"

enum {
    /* bytes of payload; below that a copy costs less than a second piece */
    GATHER_MIN = 8192,
};

/* Nothing waits, and nothing of this read follows that could go along. */
static bool may_go_now(const struct conn *to)
{
    return to->state == CONN_OPEN && !to->dirty && !to->shard->more_follows &&
           outbox_is_empty(&to->out) && stream_unsent(&to->stream) == 0;
}

/* Count it as written; it never was in the queue, so nothing was charged.  With
 * TLS a part of its last record may wait: for the flush, with its clock. */
static enum delivery_end count_sent(const struct delivery *d, size_t len)
{
    struct conn *to = d->to;

    outbox_cancel(&to->out);
    if (stream_unsent(&to->stream) > 0)
        conn_mark_dirty(to);
    conn_count_sent(to, len);
    session_frame_sent(to, (uint32_t)d->payload.len,
        worker_round_ns(&to->shard->worker), worker_clock_ns());
    return DELIVERY_SENT;
}

/* sent: what the socket has taken already, or why it took nothing. */
static enum delivery_end queue(
    const struct delivery *d, size_t len, ssize_t sent)
{
    struct outbox *o = &d->to->out;

    outbox_commit(o, &(struct outbox_item){
                         .len = len,
                         .cost = d->cost,
                         .from = d->from,
                         .payload_len = (uint32_t)d->payload.len,
                         .read_ns = worker_round_ns(&d->to->shard->worker),
                         .kind = OUTBOX_FRAME,
                     });
    if (sent > 0) {
        conn_count_sent(d->to, (size_t)sent);
        outbox_sent(o, (size_t)sent);
    }
    conn_mark_dirty(d->to);
    return DELIVERY_QUEUED;
}

/* The payload from where it is; what stands around it from the room. */
static ssize_t write_gathered(
    const struct delivery *d, const uint8_t *head, size_t head_len)
{
    const struct span pieces[STREAM_PIECES] = {
        span_of(head, head_len), d->payload, d->suffix};

    return stream_write_gathered(&d->to->stream, pieces);
}

/* And the suffix. */
static void put_payload(const struct delivery *d, uint8_t *at)
{
    memcpy(at, d->payload.ptr, d->payload.len);
    if (d->suffix.len > 0)
        memcpy(at + d->payload.len, d->suffix.ptr, d->suffix.len);
}

enum delivery_end delivery_make(const struct delivery *d)
{
    struct conn *to = d->to;
    size_t body_len = d->prefix.len + d->payload.len + d->suffix.len;
    uint8_t *at = outbox_reserve(&to->out, WS_SERVER_HEADER_MAX + body_len);
    size_t head_len = 0;
    size_t len = 0;
    ssize_t sent = 0;

    assert(d->payload.len > 0);
    if (at == NULL)
        return DELIVERY_NO_MEMORY;
    head_len = ws_frame_encode(at, WS_TEXT, body_len);
    len = head_len + body_len;
    if (d->prefix.len > 0)
        memcpy(at + head_len, d->prefix.ptr, d->prefix.len);
    head_len += d->prefix.len;
    if (!may_go_now(to)) {
        put_payload(d, at + head_len);
        return queue(d, len, 0);
    }
    if (d->payload.len >= GATHER_MIN && to->stream.tls == NULL) {
        sent = write_gathered(d, at, head_len);
        if (sent == (ssize_t)len)
            return count_sent(d, len);
        put_payload(d, at + head_len);
    } else {
        put_payload(d, at + head_len);
        sent = stream_write(&to->stream, at, len);
        if (sent == (ssize_t)len)
            return count_sent(d, len);
    }
    return queue(d, len, sent);
}
