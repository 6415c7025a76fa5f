/*
 * shard: one worker's share of the relay: its listeners, the connections of
 * the server-ids that hash to it, and their registry.
 *
 * A shard is touched by its worker's thread alone, but for its mailbox, its
 * metrics and the numbers marked atomic.  The control shard has the metrics
 * listener and no server-id.
 */
#pragma once

#include "net/listener.h"
#include "net/mailbox.h"
#include "net/tls.h"
#include "relay/conn.h"
#include "relay/metrics.h"
#include "relay/registry.h"
#include "relay/wake.h"
#include "wire/http_head.h"

struct relay;

/* A letter that a shard gets once, or once at a time. */
struct shard_letter {
    struct mail mail;
    atomic_bool posted;
};

struct shard {
    struct worker worker;
    struct mailbox mailbox;
    struct relay *relay;
    struct registry registry;
    struct metrics metrics;
    struct listener *listeners; /* of the public, or for metrics */
    struct listener challenges; /* the control shard's other one */
    struct tls_server *tls;     /* NULL: none */
    /* by enum tls_use; NULL: none */
    struct tls_identity *identities[TLS_USE_COUNT];
    struct conn_list handshakes; /* the longest waiting first */
    struct conn_list pending;    /* the longest waiting first */
    struct conn_list live;
    size_t conn_count;
    struct conn *dirty;       /* connections with something to write */
    struct outbox_pool rooms; /* for what they write */
    bool more_follows;        /* behind the frame in hand, of the same read */
    struct http_head head;    /* of the request being read */
    struct wake_scratch wake;
    uint32_t serial; /* of the last connection's number */
    uint32_t ping_count;
    bool draining;
    bool yielding; /* another process accepts for us: see yield.h */
    bool deals;    /* not every shard has a listener: connections go in turn */
    size_t next_dealt;
    uint64_t exhausted_logged_ms;
    struct timer rested; /* the listeners go on */
    struct timer yield_timer;
    uint64_t yield_by_ms;
    uint64_t yield_last_ms;  /* when somebody was let go last */
    _Atomic size_t worst;    /* memory of its largest consumer; may be old */
    atomic_bool has_pending; /* somebody is on that list */
    atomic_bool has_handshakes;
    struct shard_letter drain;
    struct shard_letter drained; /* to the control shard */
    struct shard_letter stop;
    struct shard_letter yield;
    struct shard_letter listen; /* the listeners that rest go on */
    struct shard_letter shed;
    struct shard_letter room;  /* the one that waits longest is to make room */
    struct shard_letter shown; /* a certificate is there to be shown */
};

/* 0 or -errno. */
MUST_CHECK NONNULL int shard_init(struct shard *shard, struct relay *relay);
/* Let go of every connection; no worker runs any more. */
NONNULL void shard_clear(struct shard *shard);
/* Then the rest. */
NONNULL void shard_done(struct shard *shard);

/* Take the bound socket over and accept from it, and from those before; the
 * second is for the control shard, once.  0 or -errno. */
MUST_CHECK NONNULL int shard_listen(
    struct shard *shard, struct listener_socket socket);
MUST_CHECK NONNULL int shard_listen_challenges(
    struct shard *shard, struct listener_socket socket);
/* Let nobody in any more; from any thread while its worker runs. */
NONNULL void shard_refuse(const struct shard *shard);
/* Accept from none of them until the letter `listen`, or shard_go_on(); and
 * never again: on the shard, or before its worker runs. */
NONNULL void shard_rest(struct shard *shard);
NONNULL void shard_go_on(struct shard *shard);
NONNULL void shard_stop_listening(struct shard *shard);

/* Take an accepted descriptor over: as a connection of this shard, or of the
 * next one in turn where this one deals. */
NONNULL void shard_accept(
    struct shard *shard, int fd, const struct sockaddr_storage *peer);

/* Whose server-id is it? */
NONNULL struct shard *shard_of(struct relay *relay, struct span server_id);

/* Send it where it belongs, with the bytes that it keeps. */
NONNULL void shard_hand_over(struct conn *c, struct shard *to);

/* Post one of the letters; one that is on its way already stays. */
NONNULL void shard_post(struct shard *to, struct shard_letter *letter);

/* A number for a connection: unique here, never 0. */
NONNULL uint32_t shard_draw_number(struct shard *shard);

/* Count it against the cap and the budgets of its role and its address, which
 * key names.  False: one of them is full, *ret_full; it is counted as before. */
NONNULL bool shard_count_live(
    struct conn *c, const struct address_key *key, enum metric *ret_full);

/* Count it as one that waits; if they are too many, the one of the shard that
 * has waited longest makes room, or else one of another shard. */
NONNULL void shard_count_pending(struct conn *c);

/* The same, for one whose handshake is done: its address keeps its place. */
NONNULL void shard_handshake_done(struct conn *c);

/* Its peer's address became known late: one more of that address.  False: it
 * has too many. */
MUST_CHECK NONNULL bool shard_charge_address(struct conn *c);

/* A connection died. */
NONNULL void shard_conn_gone(struct shard *shard, struct conn *c);
