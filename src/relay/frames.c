#include "relay/frames.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "relay/admission.h"
#include "relay/claim.h"
#include "relay/limits.h"
#include "relay/relay.h"
#include "relay/session.h"

enum { FRAGMENTS_MIN = 256 }; /* bytes; the first allocation */

/* The peer broke the protocol: tell it, if it can still be told. */
static void violated(struct conn *c, enum ws_status status)
{
    session_ended(c, SESSION_LOST, ws_frame_text(status));
    if (c->state == CONN_OPEN) {
        conn_close(c, ws_frame_close_code(status), ws_frame_text(status));
        conn_finish(c); /* what follows is no frame that we know of */
    } else {
        conn_drop(c);
    }
}

void frames_give_up(struct conn *c)
{
    if (c->partial != NULL)
        c->skip = c->partial_want - c->partial_have;
    free(c->partial);
    c->partial = NULL;
    c->partial_want = 0;
    c->partial_have = 0;
    free(c->fragments);
    c->fragments = NULL;
    c->fragments_len = 0;
    c->fragments_cap = 0;
}

static void lost(struct conn *c, const char *why)
{
    session_ended(c, SESSION_LOST, why);
    conn_drop(c);
}

static void on_pong(struct conn *c, struct span payload)
{
    if (c->ping_payload == 0 ||
        !span_eq(payload, span_of(&c->ping_payload, sizeof(c->ping_payload))))
        return;
    c->ping_payload = 0;
    c->pong_by = 0;
    claim_ponged(c);
}

static void on_ping(struct conn *c, struct span payload)
{
    uint8_t frame[WS_SERVER_HEADER_MAX + WS_CONTROL_MAX];
    size_t len = ws_frame_encode(frame, WS_PONG, payload.len);

    if (c->state != CONN_OPEN)
        return;
    if (payload.len > 0)
        memcpy(frame + len, payload.ptr, payload.len);
    if (conn_append(c, span_of(frame, len + payload.len), OUTBOX_CONTROL))
        conn_update_interest(c);
}

/* Answer with the peer's own code, then end.  In CONN_CLOSING ours is on its
 * way already. */
static void on_close(struct conn *c, struct span payload)
{
    struct ws_close close;
    enum ws_status status = ws_close_decode(payload, &close);

    if (status != WS_OK) {
        violated(c, status);
        return;
    }
    if (c->state == CONN_OPEN) {
        uint8_t frame[WS_CLOSE_FRAME_MAX];
        size_t len = ws_close_encode(frame, close.code, span_of(NULL, 0));

        session_ended(c, close.code, "received close frame");
        outbox_drop_unsent(&c->out);
        if (!conn_append(c, span_of(frame, len), OUTBOX_CONTROL))
            return;
    }
    conn_finish(c);
}

static void on_control(struct conn *c, enum ws_opcode opcode, struct span in)
{
    if (opcode == WS_CLOSE) {
        on_close(c, in);
    } else if (opcode == WS_PING) {
        on_ping(c, in);
    } else {
        on_pong(c, in);
    }
}

static bool is_control(const struct ws_header *header)
{
    return header->opcode >= WS_CLOSE;
}

/* Room for so many bytes of fragments, at most a message's; it grows by
 * factors, so that single bytes cost no more than they must. */
static bool make_room(struct conn *c, size_t len)
{
    size_t cap = c->fragments_cap == 0 ? FRAGMENTS_MIN : c->fragments_cap;
    uint8_t *grown = NULL;

    if (c->fragments != NULL && len <= c->fragments_cap)
        return true;
    while (cap < len)
        cap *= 2;
    grown = realloc(c->fragments, cap);
    if (grown == NULL)
        return false;
    c->fragments = grown;
    c->fragments_cap = cap;
    return true;
}

/* Keep a fragment; true if it was kept. */
static bool keep_fragment(struct conn *c, struct span payload)
{
    if (!make_room(c, c->fragments_len + payload.len)) {
        lost(c, "out of memory");
        return false;
    }
    if (payload.len > 0)
        memcpy(c->fragments + c->fragments_len, payload.ptr, payload.len);
    c->fragments_len += payload.len;
    return true;
}

static void on_data(
    struct conn *c, const struct ws_header *header, struct span payload)
{
    enum ws_opcode opcode = c->message.opcode;
    uint8_t *owned = NULL;

    if (!header->fin || c->fragments != NULL) {
        if (!keep_fragment(c, payload) || !header->fin)
            return;
        payload = span_of(c->fragments, c->fragments_len);
        owned = c->fragments;
        c->fragments = NULL;
        c->fragments_len = 0;
        c->fragments_cap = 0;
    }
    ws_message_end(&c->message);
    c->message_by = 0;
    session_message(c, opcode, payload);
    free(owned);
}

/* A whole frame is at hand; its payload is still masked. */
static void on_frame(
    struct conn *c, const struct ws_header *header, uint8_t *payload)
{
    size_t len = (size_t)header->payload_len;

    if (c->state == CONN_CLOSING && header->opcode != WS_CLOSE)
        return;
    ws_frame_unmask(payload, len, header->mask, 0);
    if (is_control(header)) {
        on_control(c, header->opcode, span_of(payload, len));
    } else {
        on_data(c, header, span_of(payload, len));
    }
}

/* A header was decoded: may this frame come now?  False: the connection is
 * being closed. */
static bool admit(struct conn *c, const struct ws_header *header)
{
    enum ws_status status = WS_OK;

    if (is_control(header) || c->state != CONN_OPEN)
        return true;
    status = ws_message_take(&c->message, header, LIMIT_MESSAGE_BYTES);
    if (status == WS_OK)
        return true;
    violated(c, status);
    return false;
}

/* The clock of the message deadline starts with the first header that does
 * not bring the whole message along. */
static void start_message_clock(struct conn *c)
{
    if (c->message_by != 0 || c->message.opcode == WS_CONT)
        return;
    c->message_by = worker_now_ms(&c->shard->worker) + LIMIT_MESSAGE_MS;
    conn_retime(c);
}

/* Keep the start of a frame's payload. */
static void begin_partial(struct conn *c, const struct ws_header *header,
    const uint8_t *bytes, size_t len)
{
    assert(c->partial == NULL);
    c->partial = malloc((size_t)header->payload_len);
    if (c->partial == NULL) {
        lost(c, "out of memory");
        return;
    }
    c->frame = *header;
    c->partial_want = (size_t)header->payload_len;
    c->partial_have = len;
    if (len > 0)
        memcpy(c->partial, bytes, len);
    start_message_clock(c);
}

static bool is_live(const struct conn *c)
{
    return c->state == CONN_OPEN || c->state == CONN_CLOSING;
}

/* Most frames are a message of their own, and all there: no state is kept for
 * them. */
static bool is_whole_message(
    const struct conn *c, const struct ws_header *header, size_t have)
{
    return header->fin && !is_control(header) && header->opcode != WS_CONT &&
           c->message.opcode == WS_CONT && c->state == CONN_OPEN &&
           header->payload_len <= have;
}

/* Take one frame off the front of bytes; the bytes used, 0 when the rest was
 * kept for later or the connection ended. */
static size_t take_frame(struct conn *c, uint8_t *bytes, size_t len)
{
    struct ws_header header;
    enum ws_status status =
        ws_frame_decode(span_of(bytes, len), LIMIT_MESSAGE_BYTES, &header);

    if (status == WS_MORE) {
        assert(len < WS_HEADER_MAX);
        memcpy(c->stash, bytes, len);
        c->stash_len = (uint8_t)len; /* of a frame header */
        return 0;
    }
    if (status != WS_OK) {
        violated(c, status);
        return 0;
    }

    size_t have = len - header.header_len;
    uint8_t *payload = bytes + header.header_len;

    c->shard->more_follows = have > header.payload_len;
    if (is_whole_message(c, &header, have)) {
        ws_frame_unmask(payload, (size_t)header.payload_len, header.mask, 0);
        session_message(
            c, header.opcode, span_of(payload, (size_t)header.payload_len));
        return header.header_len + (size_t)header.payload_len;
    }
    if (!admit(c, &header))
        return 0;

    if (header.payload_len > have && c->state == CONN_CLOSING &&
        !is_control(&header)) {
        c->skip = (size_t)header.payload_len - have;
        return 0;
    }
    if (header.payload_len > have) {
        begin_partial(c, &header, payload, have);
        return 0;
    }
    on_frame(c, &header, payload);
    if (is_live(c))
        start_message_clock(c);
    return header.header_len + (size_t)header.payload_len;
}

/* Keep what must wait until the connection is released. */
static void keep_backlog(struct conn *c, const uint8_t *bytes, size_t len)
{
    uint8_t *grown = realloc(c->backlog, c->backlog_len + len);

    if (grown == NULL) {
        lost(c, "out of memory");
        return;
    }
    memcpy(grown + c->backlog_len, bytes, len);
    c->backlog = grown;
    c->backlog_len += len;
}

void frames_feed(struct conn *c, uint8_t *bytes, size_t len)
{
    size_t skipped = len < c->skip ? len : c->skip;

    c->skip -= skipped;
    bytes += skipped;
    len -= skipped;
    while (len > 0 && is_live(c) && !c->held) {
        size_t used = take_frame(c, bytes, len);

        if (used == 0)
            return;
        bytes += used;
        len -= used;
    }
    if (len > 0 && is_live(c))
        keep_backlog(c, bytes, len);
}

/* The frame in progress is complete. */
static void end_partial(struct conn *c)
{
    uint8_t *payload = c->partial;
    struct ws_header header = c->frame;

    c->partial = NULL;
    c->partial_want = 0;
    c->partial_have = 0;
    on_frame(c, &header, payload);
    free(payload);
}

static void read_error(struct conn *c, ssize_t got)
{
    if (got == -EAGAIN)
        return;
    lost(c, got == 0 ? "connection closed by the peer"
                     : "connection reset by the peer");
}

/* In the middle of a frame: its rest goes where it belongs, what follows goes
 * to the scratch buffer, in one system call. */
static void read_partial(struct conn *c)
{
    uint8_t *scratch = c->shard->worker.scratch;
    size_t room = c->partial_want - c->partial_have;
    struct iovec to[] = {
        {.iov_base = c->partial + c->partial_have, .iov_len = room},
        {.iov_base = scratch, .iov_len = WORKER_SCRATCH_LEN},
    };
    ssize_t got = stream_read(&c->stream, to, (int)ARRAY_LEN(to));

    if (got <= 0) {
        read_error(c, got);
        return;
    }
    conn_received(c, (size_t)got);
    if ((size_t)got < room) {
        c->partial_have += (size_t)got;
        return;
    }
    c->shard->more_follows = (size_t)got > room;
    end_partial(c);
    if (is_live(c))
        frames_feed(c, scratch, (size_t)got - room);
}

void frames_read(struct conn *c)
{
    uint8_t *scratch = c->shard->worker.scratch;
    size_t kept = c->stash_len;
    struct iovec to = {
        .iov_base = scratch + kept,
        .iov_len = WORKER_SCRATCH_LEN - kept,
    };
    ssize_t got = 0;

    if (c->partial != NULL) {
        read_partial(c);
        return;
    }
    got = stream_read(&c->stream, &to, 1);
    if (got <= 0) {
        read_error(c, got);
        return;
    }
    conn_received(c, (size_t)got);
    if (kept > 0)
        memcpy(scratch, c->stash, kept);
    c->stash_len = 0;
    frames_feed(c, scratch, kept + (size_t)got);
}

/* Keep an incomplete head for the next read. */
static void keep_head(struct conn *c, const uint8_t *bytes, size_t len)
{
    uint8_t *grown = realloc(c->partial, len);

    if (grown == NULL) {
        conn_drop(c);
        return;
    }
    memcpy(grown, bytes, len);
    c->partial = grown;
    c->partial_have = len;
}

static size_t limit_of(const struct conn *c, enum config_flag flag)
{
    return config_count(c->shard->relay->config, flag);
}

/* Does the head end in bytes?  Looks at what is new alone, so that a head
 * that comes byte by byte costs no more than one that comes at once. */
static bool may_be_complete(
    const uint8_t *bytes, size_t old, size_t len, size_t head_max)
{
    size_t from = old > 3 ? old - 3 : 0;

    if (old == 0 || len > head_max)
        return true;
    return memmem(bytes + from, len - from, "\n\r\n", 3) != NULL ||
           memmem(bytes + from, len - from, "\n\n", 2) != NULL;
}

/* The whole head is at hand: answer it, admit the connection here, or send it
 * to the shard that owns its server-id, with all that it has sent. */
static void take_head(struct conn *c, uint8_t *bytes, size_t len)
{
    const struct http_head *head = &c->shard->head;
    struct shard *owner = admission_judge(c, head);

    if (owner == NULL)
        return;
    if (owner != c->shard) {
        keep_head(c, bytes, len);
        if (c->state == CONN_HEAD)
            shard_hand_over(c, owner);
        return;
    }
    admission_enter(c, head);
    if (c->state == CONN_OPEN)
        frames_feed(c, bytes + head->head_len, len - head->head_len);
}

static void forget_head(struct conn *c)
{
    free(c->partial);
    c->partial = NULL;
    c->partial_have = 0;
}

void frames_read_head(struct conn *c)
{
    uint8_t *scratch = c->shard->worker.scratch;
    size_t kept = c->partial_have;
    struct iovec to = {
        .iov_base = scratch + kept,
        .iov_len = WORKER_SCRATCH_LEN - kept,
    };
    size_t head_max = limit_of(c, CONFIG_MAX_HEAD_BYTES);
    ssize_t got = stream_read(&c->stream, &to, 1);
    enum http_status status = HTTP_MORE;

    if (got <= 0) {
        read_error(c, got);
        return;
    }
    conn_received(c, (size_t)got);
    if (kept > 0)
        memcpy(scratch, c->partial, kept);

    size_t len = kept + (size_t)got;

    if (may_be_complete(scratch, kept, len, head_max)) {
        status =
            http_head_parse(span_of(scratch, len), head_max, &c->shard->head);
    }
    if (status == HTTP_MORE) {
        keep_head(c, scratch, len);
        return;
    }
    forget_head(c);
    if (status == HTTP_OK &&
        c->shard->head.field_count > limit_of(c, CONFIG_MAX_HEAD_FIELDS))
        status = HTTP_TOO_LARGE;
    if (status == HTTP_OK) {
        take_head(c, scratch, len);
    } else {
        admission_bad_head(c, status);
    }
}

void frames_resume_head(struct conn *c)
{
    struct http_head *head = &c->shard->head;
    uint8_t *bytes = c->partial;
    size_t len = c->partial_have;
    enum http_status status = http_head_parse(
        span_of(bytes, len), limit_of(c, CONFIG_MAX_HEAD_BYTES), head);

    assert(status == HTTP_OK); /* as it was on the other shard */
    (void)status;
    c->partial = NULL;
    c->partial_have = 0;
    admission_enter(c, head);
    if (c->state == CONN_OPEN)
        frames_feed(c, bytes + head->head_len, len - head->head_len);
    free(bytes);
}
