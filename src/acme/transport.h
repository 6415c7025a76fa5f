/*
 * transport: one HTTPS request at a time to a CA, blocking.
 *
 * What outward/https.h says holds; nothing is kept but the open connection.
 * Time, headers and body are bounded.
 */
#pragma once

#include "acme/document.h"
#include "acme/failure.h"
#include "base/attr.h"
#include "base/span.h"

enum {
    TRANSPORT_BODY_MAX = 262144, /* bytes; a chain is a few kilobytes */
    TRANSPORT_CONNECT_MS = 10000,
    TRANSPORT_TOTAL_MS = 30000,
    TRANSPORT_RETRY_AFTER_MAX_S = 7 * 86400, /* a CA may not silence us */
};

enum acme_method {
    ACME_GET,
    ACME_HEAD,
    ACME_POST, /* application/jose+json */
};

struct acme_request {
    enum acme_method method;
    const char *url;
    struct span body; /* ACME_POST only */
};

struct acme_response {
    long status;                /* HTTP */
    struct span body;           /* valid until the next request */
    char nonce[ACME_NONCE_MAX]; /* Replay-Nonce; "" if absent or malformed */
    struct acme_url location;   /* absent likewise */
    int64_t retry_after_s;      /* from now; -1: none */
};

struct transport;

struct transport_config {
    const char *ca_file;             /* PEM; NULL: the system's */
    const char *user_agent;          /* RFC 8555 section 6.1 */
    bool (*is_cancelled)(void *ctx); /* asked about once a second */
    void *ctx;
};

/* Everything in config outlives the transport; NULL without memory. */
MUST_CHECK NONNULL struct transport *transport_new(
    const struct transport_config *config);
void transport_free(struct transport *t);

/*
 * False: there was no whole answer, *ret_failure says why.  An answer of any
 * HTTP status is true.
 */
MUST_CHECK NONNULL bool transport_perform(struct transport *t,
    const struct acme_request *request, struct acme_response *ret,
    struct failure *ret_failure);
