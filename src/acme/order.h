/*
 * order: one certificate from account to chain, RFC 8555 section 7, as a
 * state machine without I/O.
 *
 *     directory -> nonce -> account -> new-order -> authorization
 *       -> [present -> respond -> validate] for each authorization
 *       -> poll -> finalize -> poll -> certificate -> done
 *
 * The driver asks order_step() what is wanted, does it, and reports back:
 *
 *     ORDER_WANTS_REQUEST   send order_request(); order_answer() or
 *                           order_fail()
 *     ORDER_WANTS_PRESENT   have order_challenge() served; order_presented()
 *                           or order_fail()
 *     ORDER_WANTS_WAIT      nothing before order_wait_until_ms()
 *     ORDER_IS_DONE         order_certificate() has key and chain
 *     ORDER_HAS_FAILED      order_failure() says why
 *
 * Time is monotonic milliseconds that the driver passes in.  Whatever the CA
 * answers, an order ends: requests, rejected nonces and time are bounded.
 */
#pragma once

#include <openssl/types.h>

#include "acme/document.h"
#include "acme/failure.h"
#include "acme/pem.h"
#include "acme/transport.h"
#include "base/attr.h"

enum {
    ORDER_MS = 600000,        /* the whole of it */
    ORDER_REQUESTS_MAX = 200, /* ten minutes of polling are 130 */
    ORDER_NONCES_MAX = 20,    /* rejected ones */
    ORDER_POLL_MIN_MS = 1000, /* between polls; doubled up to the next */
    ORDER_POLL_MAX_MS = 10000,
    ORDER_POLL_WISH_MS = 60000, /* a longer Retry-After is cut to this */
};

enum order_proof {
    ORDER_HTTP_01,
    ORDER_TLS_ALPN_01,
};

struct order_config {
    const char *directory_url;
    const char *domain;
    const char *email;    /* contact; NULL: none */
    const char *replaces; /* RFC 9773 section 5; NULL: none */
    enum order_proof proof;
    EVP_PKEY *account; /* on P-256 */
};

enum order_want {
    ORDER_WANTS_REQUEST,
    ORDER_WANTS_PRESENT,
    ORDER_WANTS_WAIT,
    ORDER_IS_DONE,
    ORDER_HAS_FAILED,
};

struct order_challenge {
    const char *token;
    const char *key_auth;
};

struct order;

/* Everything in config outlives the order; NULL without memory. */
MUST_CHECK NONNULL struct order *order_new(
    const struct order_config *config, uint64_t now_ms);
void order_free(struct order *o);

MUST_CHECK NONNULL enum order_want order_step(struct order *o, uint64_t now_ms);
NONNULL const char *order_state_name(const struct order *o);

/* Valid until the next call on the order. */
NONNULL const struct acme_request *order_request(const struct order *o);
NONNULL struct order_challenge order_challenge(const struct order *o);
NONNULL uint64_t order_wait_until_ms(const struct order *o);

NONNULL void order_answer(
    struct order *o, const struct acme_response *response, uint64_t now_ms);
NONNULL void order_presented(struct order *o);
NONNULL void order_fail(struct order *o, const struct failure *failure);

/* Key and chain as one text, as the certificate directory has them, not yet
 * judged; the caller owns it.  Once only. */
NONNULL struct pem order_certificate(struct order *o);
NONNULL const struct failure *order_failure(const struct order *o);
