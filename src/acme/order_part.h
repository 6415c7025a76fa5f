/* order_part: what the two files of order share.  See order.h. */
#pragma once

#include "acme/order.h"

enum order_state {
    ORDER_DIRECTORY,
    ORDER_NONCE,
    ORDER_ACCOUNT,
    ORDER_NEW,
    ORDER_AUTHORIZATION,
    ORDER_PRESENT,
    ORDER_RESPOND,
    ORDER_VALIDATE,
    ORDER_POLL,
    ORDER_FINALIZE,
    ORDER_CERTIFICATE,
    ORDER_DONE,
    ORDER_FAILED,
    ORDER_STATE_COUNT
};

enum {
    PAYLOAD_MAX = 2048, /* bytes of a request before it is signed */
    BODY_MAX = 8192,    /* and after */
};

struct order {
    struct order_config config;
    enum order_state state;
    uint64_t deadline_ms;
    uint64_t wait_until_ms; /* 0: no need to wait */
    uint64_t poll_ms;       /* the next wait */
    unsigned requests;
    unsigned nonces_rejected;
    bool skip_replaces; /* the CA did not like it */
    bool finalized;
    struct acme_request request;
    struct acme_directory directory;
    char nonce[ACME_NONCE_MAX]; /* "" if there is none */
    struct acme_url account_url;
    struct acme_url order_url;
    struct acme_order order;
    size_t authz_at;
    struct acme_url challenge_url;
    char token[AGENT_TOKEN_MAX + 1];
    char key_auth[AGENT_KEY_AUTH_MAX + 1];
    EVP_PKEY *leaf;
    struct pem certificate;
    struct failure failure;
    struct acme_problem problem; /* of the last answer; scratch */
    struct acme_authz authz;     /* scratch */
    char payload[PAYLOAD_MAX];
    char body[BODY_MAX];
};

/*
 * Ask: each prepares o->request for its state.  False without memory or a
 * signature.
 */
NONNULL bool order_ask_directory(struct order *o);
NONNULL bool order_ask_nonce(struct order *o);
NONNULL bool order_ask_account(struct order *o);
NONNULL bool order_ask_new(struct order *o);
NONNULL bool order_ask_authorization(struct order *o);
NONNULL bool order_ask_validation(struct order *o);
NONNULL bool order_ask_order(struct order *o);
NONNULL bool order_ask_finalize(struct order *o);
NONNULL bool order_ask_certificate(struct order *o);

/* Does the new order say what it replaces? */
NONNULL bool order_wants_replaces(const struct order *o);
