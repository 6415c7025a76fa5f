/*
 * outbox: what waits to be written to one peer, first in, first out.
 *
 * Pure data: wire bytes back to back, and one item for each frame so that
 * the owner learns when a frame has really been written.  An item stays
 * charged until its last byte is sent.
 *
 * What comes and goes within one event is kept in a room of a pool, so that
 * nothing is allocated for a peer that keeps up; who does not is given memory
 * of its own (outbox_settle()).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    OUTBOX_ROOMS = 4, /* of a pool: outboxes that are filled in one event */
    OUTBOX_ROOM_ITEMS = 256,
    /* bytes; what one read brings, and what is put around it */
    OUTBOX_ROOM_LEN = 544 * 1024,
};

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

struct outbox_room {
    struct outbox_room *next;  /* that is free */
    uint8_t *bytes;            /* OUTBOX_ROOM_LEN */
    struct outbox_item *items; /* OUTBOX_ROOM_ITEMS */
};

struct outbox_pool {
    struct outbox_room rooms[OUTBOX_ROOMS];
    struct outbox_room *free;
};

struct outbox {
    struct outbox_pool *pool; /* that lends it rooms; NULL: none does */
    struct outbox_room *room; /* that is lent; NULL: none */
    uint8_t *bytes;           /* the room's, or its own */
    size_t head;              /* first byte that is not sent */
    size_t tail;
    size_t cap;
    struct outbox_item *items; /* a ring; the room's, or its own */
    size_t item_head;
    size_t item_count;
    size_t item_cap;      /* a power of two, or 0 */
    size_t head_sent;     /* bytes of the first item that are sent */
    size_t cost;          /* sum over the items */
    size_t control_bytes; /* wire bytes of OUTBOX_CONTROL items */
};

/* False: out of memory.  All zero is a pool that lends nothing. */
MUST_CHECK NONNULL bool outbox_pool_init(struct outbox_pool *pool);
/* No outbox has a room any more. */
NONNULL void outbox_pool_done(struct outbox_pool *pool);

/* All zero is an empty outbox without a pool; this leaves an empty one. */
NONNULL void outbox_done(struct outbox *o);

/* Room for len more wire bytes, to be filled before the commit.  NULL: out of
 * memory, and nothing has changed. */
MUST_CHECK NONNULL uint8_t *outbox_reserve(struct outbox *o, size_t len);
/* The reserved bytes, at most as many, become an item. */
NONNULL void outbox_commit(struct outbox *o, const struct outbox_item *item);

/* Nothing comes of the reserved bytes; what was there before stays. */
NONNULL void outbox_cancel(struct outbox *o);

/* What is to be written next, in one piece. */
NONNULL static inline struct span outbox_pending(const struct outbox *o)
{
    return span_of(o->bytes + o->head, o->tail - o->head);
}

NONNULL static inline bool outbox_is_empty(const struct outbox *o)
{
    return o->item_count == 0;
}

/* Bytes of memory that it holds beside a lent room: of what is queued, and of
 * its items.  The first is what it may have grown to. */
NONNULL size_t outbox_own_room(const struct outbox *o);
NONNULL size_t outbox_own_items(const struct outbox *o);

/*
 * Take note that len bytes were written.  outbox_next_done() then gives the
 * items completed by that, one by one; false: no more.
 */
NONNULL void outbox_sent(struct outbox *o, size_t len);
MUST_CHECK NONNULL bool outbox_next_done(
    struct outbox *o, struct outbox_item *ret);

/* What is left will wait: give a lent room back, for memory of its own, or
 * what of that is far more than it takes.  Without memory it stays where it
 * is. */
NONNULL void outbox_settle(struct outbox *o);

/* Drop every item behind the HTTP response of which no byte is sent. */
NONNULL void outbox_drop_unsent(struct outbox *o);

/* Does an item of that phone wait? */
NONNULL bool outbox_holds(const struct outbox *o, uint32_t from);
