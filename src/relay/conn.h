/*
 * conn: one peer's connection, from its request head to its last byte.
 *
 * It turns bytes into messages and messages into bytes, answers pings, keeps
 * the deadlines, and tells session.h what happened.  Its state changes in one
 * place, along the table in conn.c.  A conn is freed by the loop, after the
 * round in which it died; no other code frees one.
 */
#pragma once

#include "net/stream.h"
#include "relay/outbox.h"
#include "wire/ws_message.h"

struct relay;
struct slot;

enum conn_state {
    CONN_HEAD,    /* reading the request head */
    CONN_OPEN,    /* exchanging frames */
    CONN_CLOSING, /* our close frame is queued; waiting for the peer's */
    CONN_LINGER,  /* the last byte is queued or sent; waiting for the end */
    CONN_DEAD,    /* descriptor closed, memory about to go */
};

enum conn_role {
    CONN_STRANGER,
    CONN_BINARY,
    CONN_PHONE,
};

/* Which listener it came from: what may be asked of us. */
enum conn_surface {
    CONN_PUBLIC,
    CONN_METRICS,
};

enum { CONN_REMOTE_MAX = 46 }; /* an IPv6 literal and a NUL */

struct conn {
    struct stream stream;
    struct timer timer; /* the earliest of the deadlines below */
    struct relay *relay;
    struct conn *prev; /* in the relay's list */
    struct conn *next;
    struct conn *next_dirty; /* in the relay's list of those to flush */
    bool dirty;
    bool upgraded; /* counted against the connection cap */
    bool listed;   /* its slot knows it, as binary or as phone */
    enum conn_state state;
    enum conn_role role;
    enum conn_surface surface;

    /* Deadlines, monotonic milliseconds; 0: none. */
    uint64_t state_by;   /* the end of this state */
    uint64_t ping_at;    /* the next ping */
    uint64_t pong_by;    /* the answer to the last one */
    uint64_t message_by; /* the end of the message in progress */
    uint64_t write_by;   /* the end of the item being written */

    struct outbox out;
    uint64_t ping_payload; /* of the ping that waits for its pong */

    /* A request head, or the payload of the frame in progress: want bytes, of
     * which have have arrived.  Owned. */
    uint8_t *partial;
    size_t partial_want;
    size_t partial_have;
    struct ws_header frame;       /* of the frame in progress */
    uint8_t stash[WS_HEADER_MAX]; /* the start of a frame header */
    size_t stash_len;

    struct ws_message message;
    uint8_t *fragments; /* payload of a fragmented message so far; owned */
    size_t fragments_len;

    /* Set by session.h on registration. */
    struct slot *slot;    /* valid while listed */
    uint64_t binary_turn; /* a phone's: the binary at its registration */
    uint16_t leave_code;  /* a close its binary asked for is queued; 0: none */
    uint32_t number;      /* random, unique within the slot; never 0 */
    uint8_t *prefix;      /* a phone's: what stands before its frames; owned */
    size_t prefix_len;
    char *name; /* conn_id, or a binary's name in the log; owned */
    size_t name_len;

    char remote[CONN_REMOTE_MAX];
};

/* Take over an accepted descriptor; closes it when memory is short. */
NONNULL void conn_accept(struct relay *relay, int fd,
    const struct sockaddr_storage *peer, enum conn_surface surface);

/* Queue bytes as one item and have them written at the end of the round.
 * conn_append() returns false, and drops the connection, without memory. */
NONNULL bool conn_append(
    struct conn *c, struct span bytes, enum outbox_kind kind);
NONNULL void conn_mark_dirty(struct conn *c);
/* Write what is queued on every connection that was marked. */
NONNULL void conn_flush_dirty(struct relay *relay);

/* From the request head to frames; the 101 is queued already. */
NONNULL void conn_open(struct conn *c);

/* Send a close frame past everything that is queued, and wait for the
 * peer's.  The session must have let go of it. */
NONNULL void conn_close(struct conn *c, uint16_t code, const char *reason);

/* Our close frame is written already: wait for the peer's.  The session must
 * have let go of it. */
NONNULL void conn_await_close(struct conn *c);

/* Finish after the queued bytes: no frames any more. */
NONNULL void conn_finish(struct conn *c);

/* Close the descriptor at once. */
NONNULL void conn_drop(struct conn *c);

/* Read or stop reading, as queues and slot ask for. */
NONNULL void conn_update_interest(struct conn *c);

NONNULL static inline struct span conn_name(const struct conn *c)
{
    return span_of(c->name, c->name_len);
}
