/* agent_part: what the two files of agent share.  See agent.h. */
#pragma once

#include "acme/agent.h"
#include "acme/certificate.h"
#include "acme/channel.h"
#include "acme/issue.h"

struct agent {
    struct agent_config config;
    struct channel *channel;
    struct transport *transport;
    EVP_PKEY *account; /* NULL until it could be read or made */
    struct schedule schedule;
    struct pem text;                /* the certificate in hand; "": none */
    struct certificate certificate; /* points into text */
    bool is_unsaved;                /* text is not on the disk yet */
    int64_t ask_at_s;               /* RFC 9773; 0: never */
    enum order_proof proof;         /* the one to try next */
    bool is_alone;                  /* no other agent writes to the directory */
    bool is_stopping;
    bool must_renew;
    bool is_presented;
    char presented[AGENT_NAME_MAX + 1]; /* "": nothing is */
};

/* When to act next: a certificate that is not on the disk is not one to wait
 * with for its renewal. */
NONNULL int64_t agent_due_s(const struct agent *a);

/* Say it to the relay; if that cannot be done, the agent is stopping. */
NONNULL void agent_send_status(struct agent *a, enum agent_state state);
NONNULL void agent_send_failure(struct agent *a, const struct failure *failure);
NONNULL void agent_send_certificate(struct agent *a,
    const struct certificate *certificate, enum agent_source source);

/* Take one message if one comes in time; true if one came. */
NONNULL bool agent_hear(struct agent *a, int timeout_ms);

/* The hooks of transport and issue; ctx is the agent. */
NONNULL bool agent_is_cancelled(void *ctx);
NONNULL bool agent_wait(void *ctx, uint64_t ms);
NONNULL bool agent_present(void *ctx, enum order_proof proof,
    const struct order_challenge *challenge, struct failure *ret_failure);
NONNULL void agent_withdraw(void *ctx);
