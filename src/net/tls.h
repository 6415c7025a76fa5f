/*
 * tls: how this program serves TLS 1.2 and 1.3, and what it shows: OpenSSL
 * behind few functions.
 *
 * A tls_server is one worker's and never has a certificate.  What it shows is
 * chosen for each ClientHello by its owner, who hands in a tls_identity.  So a
 * certificate is replaced by having another chosen: sessions keep the one that
 * they began with.  Connections are tls_session.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "net/tls_ticket.h"

struct bio_method_st;
struct ssl_ctx_st;

/* ---- a certificate and its key ---- */

struct tls_identity; /* may be shown by sessions of any thread */

/* What it is shown for. */
enum tls_use {
    TLS_USE_HTTP,      /* ALPN http/1.1, or none */
    TLS_USE_RSA,       /* the same, to clients that take no ECDSA */
    TLS_USE_CHALLENGE, /* ALPN acme-tls/1, RFC 8737 */
    TLS_USE_COUNT
};

struct tls_pem {
    struct span key;   /* not encrypted */
    struct span chain; /* the leaf first */
};

/* NULL, and *ret_err says why in a constant text: it cannot be read, key and
 * certificate do not belong together, or there is no memory. */
MUST_CHECK NONNULL struct tls_identity *tls_identity_new(
    const struct tls_pem *pem, enum tls_use use, const char **ret_err);
/* Sessions that show it go on. */
void tls_identity_free(struct tls_identity *identity);

/* When its leaf expires, Unix time; 0: it cannot be told. */
NONNULL int64_t tls_identity_expires_s(const struct tls_identity *identity);
/* Is its leaf for that host name, RFC 6125? */
NONNULL bool tls_identity_is_for(
    const struct tls_identity *identity, const char *name);

/* ---- a worker's server ---- */

/* The bodies of extensions, len 0: absent; and the cipher suites. */
struct tls_hello {
    struct span server_name;          /* RFC 6066 section 3 */
    struct span alpn;                 /* RFC 7301 section 3.1 */
    struct span signature_algorithms; /* RFC 8446 section 4.2.3 */
    struct span suites;
};

enum tls_verdict {
    TLS_SERVE,        /* show *ret */
    TLS_UNKNOWN_NAME, /* alert unrecognized_name */
    TLS_NOT_READY,    /* there is no certificate: alert internal_error */
    TLS_AWAIT,        /* there may be one soon: tls_session_handshake() */
};

typedef enum tls_verdict tls_hello_fn(void *owner,
    const struct tls_hello *hello, const struct tls_identity **ret);

/* What the servers of all workers share. */
struct tls_shared;
struct tls_shared *tls_shared_new(void);
/* No server and no session is left. */
void tls_shared_free(struct tls_shared *shared);

struct tls_server_setup {
    const struct tls_shared *shared;          /* outlives the server */
    uint8_t ticket_seed[TLS_TICKET_SEED_LEN]; /* the same for each worker */
    uint64_t started_ms;                      /* likewise */
    tls_hello_fn *hello;
    void *owner; /* of hello */
};

struct tls_server;

/* NULL: out of memory. */
MUST_CHECK NONNULL struct tls_server *tls_server_new(
    const struct tls_server_setup *setup);
/* Sessions that it has made go on. */
void tls_server_free(struct tls_server *server);

/* Seal tickets with the keys of that time from now on. */
NONNULL void tls_server_set_time(struct tls_server *server, uint64_t now_ms);
