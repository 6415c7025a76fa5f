/*
 * conn: one peer's connection, from its request head to its last byte.
 *
 * It turns bytes into messages and messages into bytes, answers pings, keeps
 * the deadlines, and tells session.h what happened.  Its state changes in one
 * place, along the table in conn.c.  A conn belongs to one shard and is
 * touched by that shard's worker alone; it changes shard once, right after its
 * request head.  It is freed by the loop, after the round in which it died; no
 * other code frees one.
 */
#pragma once

#include <sys/socket.h>

#include "base/ip_address.h"
#include "net/mailbox.h"
#include "net/stream.h"
#include "relay/address_table.h"
#include "relay/outbox.h"
#include "relay/rate.h"
#include "wire/ws_message.h"

struct challenge;
struct shard;
struct slot;

enum conn_state {
    CONN_PROXY,   /* reading a proxy's header */
    CONN_TLS,     /* in the TLS handshake */
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
    CONN_CHALLENGES, /* of a CA, over plain HTTP */
};

/* Which budget of the relay it is counted against. */
enum conn_account {
    CONN_UNCOUNTED,
    CONN_HANDSHAKE, /* before its request head can come */
    CONN_PENDING,   /* before its upgrade and after its end */
    CONN_LIVE,      /* a connection of the cap */
};

/* A list of connections, the first to join first. */
struct conn_list {
    struct conn *first;
    struct conn *last;
};

struct conn {
    struct stream stream;
    struct timer timer; /* the earliest of the deadlines below */
    struct mail letter; /* carries it to its shard */
    struct shard *shard;
    struct shard *moves_to; /* while it is on no shard */
    struct conn *prev;      /* in its shard's list of pending or of live ones */
    struct conn *next;
    struct conn *next_dirty; /* in the shard's list of those to flush */
    bool dirty;
    bool listed; /* its slot knows it, as binary or as phone */
    bool held;   /* not read: its claim is not decided, or: */
    bool awaits; /* it is before a certificate, which is not there yet */
    enum conn_state state;
    enum conn_role role;
    enum conn_surface surface;
    enum conn_account account;
    enum conn_role memory_leg; /* the gauge that its memory is in */

    /* Deadlines, monotonic milliseconds; 0: none. */
    uint64_t state_by;   /* the end of this state */
    uint64_t ping_at;    /* the next ping */
    uint64_t pong_by;    /* the answer to the one that is out */
    uint64_t message_by; /* the end of the message in progress */
    uint64_t write_by;   /* the end of the item being written */
    uint64_t read_at;    /* reading goes on; it was faster than it may */

    struct rate rate; /* of what it sends */
    struct outbox out;
    size_t memory;         /* bytes counted against the relay's budget */
    uint64_t ping_payload; /* of the ping that waits for its pong; 0: none */

    /* A request head, or the payload of the frame in progress: want bytes, of
     * which have have arrived.  Owned. */
    uint8_t *partial;
    size_t partial_want;
    size_t partial_have;
    size_t skip;            /* bytes of a frame that nobody wants any more */
    struct ws_header frame; /* of the frame in progress */
    uint8_t stash[WS_HEADER_MAX]; /* the start of a frame header */
    uint8_t stash_len;

    struct ws_message message;
    uint8_t *fragments; /* payload of a fragmented message so far; owned */
    size_t fragments_len;
    size_t fragments_cap;
    uint8_t *backlog; /* what came while it was held; owned */
    size_t backlog_len;

    /* Set on registration. */
    struct slot *slot;           /* valid while listed or challenging */
    struct challenge *challenge; /* of the slot's binary; owned */
    uint64_t binary_turn;        /* a phone's: the binary at its registration */
    uint16_t leave_code; /* a close its binary asked for is queued; 0: none */
    uint32_t number;     /* unique on its shard; never 0 */
    uint8_t *prefix;     /* a phone's: what stands before its frames; owned */
    size_t prefix_len;
    char *name; /* conn_id, or a binary's name in the log; owned */
    size_t name_len;
    uint64_t opened_ms; /* when it was upgraded */

    struct ip_address peer;   /* at the other end of the socket */
    struct address_hold hold; /* its place in an address's account */
    char remote[IP_ADDRESS_TEXT_MAX];
};

/* An accepted descriptor as a connection that is on no shard yet, and the
 * state that it begins in.  NULL without memory; the descriptor is then still
 * the caller's. */
MUST_CHECK NONNULL struct conn *conn_new(int fd,
    const struct sockaddr_storage *peer, enum conn_surface surface,
    enum conn_state first);
/* Free one that is on no shard, and close its descriptor. */
NONNULL void conn_free(struct conn *c);

/* Join the shard's loop.  False: no memory; it is on no shard. */
MUST_CHECK NONNULL bool conn_join(struct conn *c, struct shard *shard);
/* Leave it: the detached function of its stream follows from the loop.  False:
 * it cannot, and nothing has changed. */
MUST_CHECK NONNULL bool conn_leave(struct conn *c);

/* A deadline of it was set, or came nearer. */
NONNULL void conn_retime(struct conn *c);

/* Bytes were read from it: count them, and pause its reading if they came
 * faster than they may; with TLS their records are what may be too fast. */
NONNULL void conn_received(struct conn *c, size_t len);

/* Queue bytes as one item and have them written at the end of the round.
 * conn_append() returns false, and drops the connection, without memory. */
NONNULL bool conn_append(
    struct conn *c, struct span bytes, enum outbox_kind kind);
NONNULL void conn_mark_dirty(struct conn *c);
/* Bytes were written to it. */
NONNULL void conn_count_sent(struct conn *c, size_t len);
/* Write what is queued on every connection that was marked. */
NONNULL void conn_flush_dirty(struct shard *shard);

/* From the proxy's header to TLS, and from there to the request head; the
 * second may drop it, or another, for want of room. */
NONNULL void conn_enter_tls(struct conn *c);
NONNULL void conn_enter_head(struct conn *c);

/* From the request head to frames; the 101 is queued already. */
NONNULL void conn_open(struct conn *c);

/* Stop reading frames, and go on with what had arrived meanwhile. */
NONNULL void conn_hold(struct conn *c);
NONNULL void conn_release(struct conn *c);

/* Have a ping out: one that waits for its pong already will do. */
NONNULL void conn_ping(struct conn *c);

/* Send a close frame past everything that is queued, and wait for the
 * peer's.  The session must have let go of it. */
NONNULL void conn_close(struct conn *c, uint16_t code, const char *reason);

/* The same, behind everything that is queued. */
NONNULL void conn_close_last(struct conn *c, uint16_t code, const char *reason);

/* Our close frame is written already: wait for the peer's.  The session must
 * have let go of it. */
NONNULL void conn_await_close(struct conn *c);

/* Finish after the queued bytes: no frames any more. */
NONNULL void conn_finish(struct conn *c);

/* Close the descriptor at once. */
NONNULL void conn_drop(struct conn *c);

/* Read or stop reading, as queues and slot ask for. */
NONNULL void conn_update_interest(struct conn *c);

NONNULL void conn_list_append(struct conn_list *list, struct conn *c);
NONNULL void conn_list_remove(struct conn_list *list, struct conn *c);

NONNULL static inline struct span conn_name(const struct conn *c)
{
    return span_of(c->name, c->name_len);
}
