/* From bytes that were read to whole heads and frames. */
#include <stdlib.h>
#include <string.h>

#include "bench/peer_part.h"

enum { CONTROL_MOST = 125 /* bytes, RFC 6455 section 5.5 */ };

static void on_control(
    struct peer_host *host, struct peer *p, const struct frame *frame)
{
    uint8_t answer[FRAME_HEADER_MOST + CONTROL_MOST];
    size_t len = 0;

    if (frame->kind == FRAME_PONG)
        return;
    if (frame->kind != FRAME_PING || frame->payload.len > CONTROL_MOST) {
        peer_lose(host, p,
            frame->kind == FRAME_CLOSE
                ? "the server closed the WebSocket"
                : "a frame of a kind that nobody expects");
        return;
    }
    len = frame_write_header(
        answer, FRAME_PONG, frame->payload.len, FRAME_MASKED, 0);
    memcpy(answer + len, frame->payload.ptr, frame->payload.len);
    host->pings++;
    peer_send(host, p, span_of(answer, len + frame->payload.len));
}

/* Bytes used; what is left is the start of a frame that is *ret_need long. */
static size_t take_frames(
    struct peer_host *host, struct peer *p, struct span in, size_t *ret_need)
{
    size_t used = 0;
    struct frame frame;

    while (p->state == PEER_OPEN && used < in.len) {
        enum frame_status status =
            frame_read(span_from(in, used), &frame, ret_need);

        if (status == FRAME_PART)
            break;
        if (status == FRAME_BROKEN) {
            peer_lose(host, p, "bytes that are no frame of a server");
            break;
        }
        used += frame.len;
        if (frame.kind == FRAME_TEXT) {
            host->events->received(host, p, frame.payload);
        } else {
            on_control(host, p, &frame);
        }
    }
    return used;
}

/* Bytes used of in: a head, if it is whole, and all whole frames. */
static size_t take(
    struct peer_host *host, struct peer *p, struct span in, size_t *ret_need)
{
    size_t head_len = 0;

    *ret_need = in.len + 1;
    if (p->state == PEER_UPGRADING) {
        head_len = peer_upgrade_read(host, p, in);
        if (head_len == 0 || p->state == PEER_CLOSED)
            return 0;
        peer_enter_frames(host, p);
    }
    return head_len + take_frames(host, p, span_from(in, head_len), ret_need);
}

/* Keep rest, which may lie in p->kept itself, for the read that completes it. */
static void keep(
    struct peer_host *host, struct peer *p, struct span rest, size_t need)
{
    if (rest.len == 0) {
        free(p->kept); /* who is idle keeps no buffer */
        p->kept = NULL;
        p->kept_len = 0;
        p->kept_cap = 0;
        return;
    }
    if (p->kept == NULL || need > p->kept_cap) {
        size_t cap = need > rest.len ? need : rest.len;
        uint8_t *room = malloc(cap);

        if (room == NULL) {
            peer_lose(host, p, "out of memory");
            return;
        }
        memcpy(room, rest.ptr, rest.len);
        free(p->kept);
        p->kept = room;
        p->kept_cap = cap;
    } else {
        memmove(p->kept, rest.ptr, rest.len);
    }
    p->kept_len = rest.len;
}

/* Append in to what is kept; false, and the peer is lost, without memory. */
static bool append(struct peer_host *host, struct peer *p, struct span in)
{
    if (in.len > p->kept_cap - p->kept_len) {
        uint8_t *grown = realloc(p->kept, p->kept_len + in.len);

        if (grown == NULL) {
            peer_lose(host, p, "out of memory");
            return false;
        }
        p->kept = grown;
        p->kept_cap = p->kept_len + in.len;
    }
    memcpy(p->kept + p->kept_len, in.ptr, in.len);
    p->kept_len += in.len;
    return true;
}

void peer_take_bytes(struct peer_host *host, struct peer *p, struct span in)
{
    size_t used = 0;
    size_t need = 0;

    if (p->kept_len > 0) {
        if (!append(host, p, in))
            return;
        in = span_of(p->kept, p->kept_len);
    }
    used = take(host, p, in, &need);
    if (p->state != PEER_CLOSED)
        keep(host, p, span_from(in, used), need);
}
