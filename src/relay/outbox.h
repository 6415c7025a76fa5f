/*
 * outbox: what waits to be written to one peer, first in, first out.
 *
 * Pure data: wire bytes back to back, and one item for each frame so that
 * the owner learns when a frame has really been written.  An item stays
 * charged until its last byte is sent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum outbox_kind {
    OUTBOX_HTTP,    /* a response, or the 101 */
    OUTBOX_CONTROL, /* ping, pong, or our close frame */
    OUTBOX_FRAME,   /* a forwarded frame */
    OUTBOX_NOTICE,  /* a close notice to a binary */
    OUTBOX_CLOSE,   /* the close frame that a binary asked for */
};

struct outbox_item {
    size_t len;           /* wire bytes */
    size_t cost;          /* what it is charged */
    uint32_t from;        /* number of the phone that sent it, or 0 */
    uint32_t payload_len; /* of a forwarded frame: what its sender sent */
    uint64_t read_ns;     /* of a forwarded frame: when it was read */
    enum outbox_kind kind;
};

struct outbox {
    uint8_t *bytes;
    size_t head; /* first byte that is not sent */
    size_t tail;
    size_t cap;
    struct outbox_item *items; /* a ring */
    size_t item_head;
    size_t item_count;
    size_t item_cap;
    size_t head_sent;     /* bytes of the first item that are sent */
    size_t cost;          /* sum over the items */
    size_t control_bytes; /* wire bytes of OUTBOX_CONTROL items */
};

/* All zero is an empty outbox. */
NONNULL void outbox_done(struct outbox *o);

/* Room for len more wire bytes, to be filled before the commit.  NULL: out of
 * memory, and nothing has changed. */
MUST_CHECK NONNULL uint8_t *outbox_reserve(struct outbox *o, size_t len);
/* The reserved bytes, at most as many, become an item. */
NONNULL void outbox_commit(struct outbox *o, struct outbox_item item);

/* What is to be written next, in one piece. */
NONNULL struct span outbox_pending(const struct outbox *o);
NONNULL bool outbox_is_empty(const struct outbox *o);

/*
 * Take note that len bytes were written.  outbox_next_done() then gives the
 * items completed by that, one by one; false: no more.
 */
NONNULL void outbox_sent(struct outbox *o, size_t len);
MUST_CHECK NONNULL bool outbox_next_done(
    struct outbox *o, struct outbox_item *ret);

/* Drop every item behind the HTTP response of which no byte is sent. */
NONNULL void outbox_drop_unsent(struct outbox *o);

/* Does an item of that phone wait? */
NONNULL bool outbox_holds(const struct outbox *o, uint32_t from);
