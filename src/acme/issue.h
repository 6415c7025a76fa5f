/*
 * issue: drive one order over a transport until there is a certificate or a
 * failure, and ask a CA when it wants one renewed.  Blocking.
 */
#pragma once

#include "acme/order.h"
#include "acme/transport.h"
#include "base/attr.h"

/* What an order needs of the process around it. */
struct issue_hooks {
    /* Have the challenge served before returning; false and *ret_failure. */
    bool (*present)(void *ctx, enum order_proof proof,
        const struct order_challenge *challenge, struct failure *ret_failure);
    /* Whatever was presented is not needed any more. */
    void (*withdraw)(void *ctx);
    /* Wait; false: the order is to end. */
    bool (*wait)(void *ctx, uint64_t ms);
    void *ctx;
};

/* True: the caller owns *ret, key and chain, not yet judged. */
MUST_CHECK NONNULL bool issue_certificate(struct transport *t,
    const struct order_config *config, const struct issue_hooks *hooks,
    struct pem *ret, struct failure *ret_failure);

/* What a CA says about renewing a certificate, RFC 9773 section 4. */
struct issue_renewal_info {
    bool is_offered; /* the rest holds only then */
    struct acme_window window;
    int64_t retry_after_s; /* when to ask again; -1: not said */
};

MUST_CHECK NONNULL bool issue_ask_renewal(struct transport *t,
    const char *directory_url, const char *ari_id,
    struct issue_renewal_info *ret, struct failure *ret_failure);
