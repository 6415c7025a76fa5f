/*
 * relay: the running program: its workers' shards, the control shard with the
 * signals and the metrics listener, and the budgets that all of them share.
 * main.c builds one.
 */
#pragma once

#include "net/inherited.h"
#include "net/sd_notify.h"
#include "net/signals.h"
#include "net/tls.h"
#include "relay/address_table.h"
#include "relay/agent_link.h"
#include "relay/budget.h"
#include "relay/certificate_files.h"
#include "relay/challenges.h"
#include "relay/config.h"
#include "relay/giver.h"
#include "relay/heap.h"
#include "relay/history.h"
#include "relay/posture_record.h"
#include "relay/process_stats.h"
#include "relay/rate.h"
#include "relay/shard.h"

enum {
    RELAY_LISTENERS = 3, /* addresses */
};

/* A listener that relay_bind() opens. */
struct relay_plan {
    const char *address; /* of the config */
    const char *label;   /* the option that asks for it, with its dashes */
    enum conn_surface surface;
};

struct log;
struct taker;

struct relay {
    const struct config *config;
    const char *domain;            /* whose TLS is served here; NULL: plain */
    struct siphash_key server_key; /* of server-ids: their shard and bucket */
    struct siphash_key number_key; /* of connections' numbers */
    uint64_t started_ms;
    int descriptors; /* as many as this process may have */

    /* Shared by the shards. */
    struct budget live; /* connections from upgrade to close */
    struct budget binaries;
    struct budget phones;
    struct budget pending;     /* connections before and after */
    struct budget handshakes;  /* connections before that */
    struct budget scrapes;     /* connections of the metrics listener */
    struct budget validations; /* connections of the challenges' listener */
    struct budget memory;      /* bytes that connections keep */
    struct address_table *addresses;
    struct rate_limit rate; /* of each connection */

    /* TLS; of the control shard but for the first. */
    struct tls_shared *tls;
    struct certificate_files files;
    struct challenges challenges;
    int64_t certificate_expires_s; /* Unix time; 0: none, or unknown */
    struct agent_link agent;       /* to who orders them */
    atomic_bool awaiting;          /* read by every shard: one may come yet */
    bool serving;                  /* the workers run */

    struct shard *shards; /* one for each worker */
    size_t shard_count;
    struct inherited *inherited;     /* what is not bound here; NULL: nothing */
    struct listener_socket *publics; /* bound and not started yet */
    size_t public_count;
    pthread_mutex_t accept_turn; /* of all listeners */
    bool has_turn;
    int instance_lock;   /* handed over with the listeners; -1: none */
    struct taker *taker; /* of --take-over; NULL: not given */
    struct giver giver;  /* of the control shard */

    struct wakes wakes; /* of devices, by a push process */

    struct process_stats_source process; /* read by the control shard */
    const struct posture_record *record; /* of the boot; NULL: none */
    const char *mode;                    /* of its check; a constant */
    struct history history;
    struct metrics_sum sum; /* of relay_sum() */

    struct shard control;
    struct sd_notify manager;                 /* told by the control shard */
    struct listener_socket metrics_socket;    /* as publics; fd -1: none */
    struct listener_socket challenges_socket; /* likewise */
    struct log *log;     /* ticked once a second; NULL: not */
    struct timer second; /* of the control shard's housekeeping */
    struct heap_watch heap;
    struct signals signals; /* that end the process */
    struct timer drain_timer;
    size_t drained;     /* shards whose last connection is gone */
    size_t quiet_looks; /* of yield_look() */
    atomic_size_t shards_yielded;
    bool drain_late;      /* the drain ran out of time */
    atomic_bool yielded;  /* another process accepts: see yield.h */
    atomic_bool draining; /* read by every shard */
    atomic_bool stopped;  /* no worker runs any more */
};

enum readiness { RELAY_READY, RELAY_DRAINING, RELAY_OVERLOADED };

/* 0 or -errno; nothing is bound yet. */
MUST_CHECK NONNULL int relay_init(
    struct relay *relay, const struct config *config);

/* What relay_bind() will open with that configuration; how many. */
NONNULL size_t relay_plan(
    const struct config *config, struct relay_plan ret[RELAY_LISTENERS]);

/* The name that a socket for it is inherited by. */
NONNULL const char *relay_plan_name(const struct relay_plan *plan);

/*
 * Take what was inherited for each listener of the plan, or bind and listen;
 * logs `listener failed` and returns false on failure.  Inherited sockets of
 * the public address are all taken, more or fewer than there are workers:
 * relay_serve() shares them out.
 */
MUST_CHECK NONNULL bool relay_bind(struct relay *relay);

/* Close what was bound and not started. */
NONNULL void relay_unbind(struct relay *relay);

/* How many sockets of the public address it holds; before relay_serve(). */
NONNULL size_t relay_public_sockets(const struct relay *relay);

/* Start the workers, serve, drain; returns when the last connection is gone or
 * the drain's time is over.  -ECANCELED: who was to be taken over from does
 * not yield, and it was logged. */
MUST_CHECK NONNULL int relay_serve(struct relay *relay);

NONNULL void relay_done(struct relay *relay);

/* On the control shard: close every connection, and end. */
NONNULL void relay_drain(struct relay *relay);

/* On the control shard: one more shard has no connection any more. */
NONNULL void relay_shard_drained(struct relay *relay);

/* From any thread: how many workers get on at that time. */
NONNULL size_t relay_alive(const struct relay *relay, uint64_t now_ms);

/* From any thread: connected binaries, registered phones. */
NONNULL size_t relay_binaries(const struct relay *relay);
NONNULL size_t relay_phones(const struct relay *relay);
/* From any thread: is another connection welcome? */
NONNULL enum readiness relay_readiness(const struct relay *relay);
const char *relay_readiness_name(enum readiness is);

/* On the control shard: the sum of what every thread has counted, and the
 * gauges that none of them counts.  Valid until the next call. */
NONNULL const struct metrics_sum *relay_sum(struct relay *relay);
