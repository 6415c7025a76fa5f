/*
 * claim: one binary for a server-id.
 *
 * A claim of a server-id that is held is a challenge: the incumbent is pinged,
 * the challenger is held back.  A pong within LIMIT_PROBE_MS refuses every
 * challenger; else the first one takes over.  An incumbent that ends
 * meanwhile makes way at once, so that no claim is refused for a binary that
 * is gone.
 */
#pragma once

#include "relay/gate.h"
#include "relay/registry.h"

/* A binary that waits for the answer of the slot's incumbent. */
struct challenge {
    struct conn *next;  /* challenger of the same slot */
    size_t version_len; /* of its X-Pyrycode-Version */
    char version[];
};

/* The binary is connected: claim its server-id or challenge for it. */
NONNULL void claim_start(struct conn *binary, const struct gate_admission *who);

/* The connection's ping was answered. */
NONNULL void claim_ponged(struct conn *c);

/* The slot's binary is gone: the first challenger's turn. */
NONNULL void claim_vacated(struct slot *slot);

/* The challenger did not wait for the answer. */
NONNULL void claim_abandoned(struct conn *c);

/* The connection challenges no longer. */
NONNULL void claim_withdraw(struct conn *c);

/* Free what it had for a challenge; it is on no list. */
NONNULL void claim_forget(struct conn *c);

/* For registry_init(): the time of a probe is over. */
NONNULL void claim_unanswered(struct slot *slot);
