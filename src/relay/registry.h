/*
 * registry: server-id -> one binary and up to LIMIT_PHONES phones.
 *
 * A slot exists while its binary is connected and for LIMIT_GRACE_MS after.
 * Data and rules only: the registry closes nothing and logs nothing; who
 * calls it acts on what it returns.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/siphash.h"
#include "base/span.h"
#include "net/timer.h"
#include "relay/limits.h"

struct conn;
struct registry;

struct slot {
    struct slot *next; /* in its bucket */
    struct registry *registry;
    struct timer grace;       /* set while there is no binary */
    struct timer probe;       /* set while there are challengers */
    struct conn *challengers; /* of the binary, the first first (claim.h) */
    size_t challenger_count;
    struct conn *binary;  /* NULL in the grace window */
    uint64_t binary_turn; /* counts the binaries that have held the slot */
    size_t phone_count;
    size_t queued; /* what its phones' queues are charged together */
    bool paused;   /* the binary's queue is full: phones are not read */
    size_t id_len;
    uint8_t *id;           /* in the same allocation */
    struct conn *phones[]; /* room for the registry's phones_max */
};

/* What happens by itself, and what the owner decides. */
struct registry_setup {
    /* The grace window of a slot ran out.  The slot is already unknown to the
     * registry and is freed on return; its phones are the callee's to close. */
    void (*expired)(void *owner, struct conn *const *phones, size_t count);
    /* The time of a slot's probe is over, and challengers still wait. */
    void (*unanswered)(struct slot *slot);
    void *owner;
    struct siphash_key key;
    size_t phones_max;
};

struct registry {
    struct slot **buckets;
    size_t bucket_count; /* a power of two */
    /* Read by other threads, too. */
    _Atomic size_t slot_count;
    _Atomic size_t binary_count; /* connected */
    _Atomic size_t phone_count; /* registered, those of gracing slots as well */
    struct timer_wheel *timers;
    struct registry_setup setup;
};

MUST_CHECK NONNULL int registry_init(struct registry *r,
    struct timer_wheel *timers, const struct registry_setup *setup);
/* Frees every slot; no connection is touched. */
NONNULL void registry_done(struct registry *r);

NONNULL struct slot *registry_find(const struct registry *r, struct span id);
NONNULL struct span registry_slot_id(const struct slot *slot);

enum registry_claim {
    REGISTRY_CLAIMED, /* *ret_slot is held by the connection */
    REGISTRY_IN_USE,  /* *ret_slot is held by another */
    REGISTRY_NO_MEMORY,
};

struct registry_evicted {
    struct conn *phones[LIMIT_PHONES_MAX];
    size_t count;
};

/* Claim for a binary.  The phones of a slot claimed out of its grace window
 * are removed and returned for the caller to close. */
MUST_CHECK NONNULL enum registry_claim registry_claim(struct registry *r,
    struct span id, struct conn *binary, struct slot **ret_slot,
    struct registry_evicted *ret_evicted);

/* Give the slot to a binary, whoever held it: a challenger.  Its phones are
 * removed and returned. */
NONNULL void registry_install(struct slot *slot, struct conn *binary,
    struct registry_evicted *ret_evicted);

/* LIMIT_PROBE_MS from now the slot's challengers have waited long enough. */
NONNULL void registry_start_probe(struct slot *slot, uint64_t now_ms);
NONNULL void registry_stop_probe(struct slot *slot);

/* The binary is gone: start the grace window if it still holds the slot. */
NONNULL void registry_release(
    struct slot *slot, const struct conn *binary, uint64_t now_ms);

enum registry_join {
    REGISTRY_JOINED,
    REGISTRY_NO_SERVER,
    REGISTRY_AT_CAP,
};

MUST_CHECK NONNULL enum registry_join registry_join(struct registry *r,
    struct span id, struct conn *phone, struct slot **ret_slot);
NONNULL void registry_leave(struct slot *slot, const struct conn *phone);
