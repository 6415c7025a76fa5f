/*
 * certificates: what the TLS listener shows, and to whom.
 *
 * Each shard has certificates of its own, made by the control shard and handed
 * over by mailbox; connections keep the one that they began with.  All but
 * certificates_judge() is called on the control shard, or before it runs.
 */
#pragma once

#include "net/tls.h"

struct relay;
struct shard;

/* Every shard shows it now. */
typedef void certificates_shown_fn(void *ctx);

/*
 * Show that certificate to clients from now on, and log it once all shards do;
 * false: it was logged why not, and what was shown before stays.
 */
MUST_CHECK NONNULL bool relay_install_certificate(
    struct relay *relay, const struct tls_pem *pem);
/* The same, of a second one for clients that take no ECDSA. */
MUST_CHECK NONNULL bool relay_install_rsa(
    struct relay *relay, const struct tls_pem *pem);

/*
 * Show that certificate to handshakes with ALPN acme-tls/1 (RFC 8737); shown,
 * which may be NULL, is called once all shards do, unless the relay ends
 * before.  False: it was logged why
 * not, and shown is not called.
 */
MUST_CHECK bool relay_present_tls(struct relay *relay,
    const struct tls_pem *pem, certificates_shown_fn *shown, void *ctx);
NONNULL void relay_withdraw_tls(struct relay *relay);

/* Answer GET /.well-known/acme-challenge/TOKEN on the HTTP listener; both are
 * copied.  False: too long, or too many. */
MUST_CHECK NONNULL bool relay_present_http(
    struct relay *relay, const char *token, const char *authorization);
NONNULL void relay_withdraw_http(struct relay *relay, const char *token);
/* Nothing that was presented is answered any more. */
NONNULL void relay_withdraw_all(struct relay *relay);

/* What a shard's TLS server asks; owner is the shard. */
NONNULL enum tls_verdict certificates_judge(void *owner,
    const struct tls_hello *hello, const struct tls_identity **ret);

/* A shard ends: its certificates go. */
NONNULL void certificates_done(struct shard *shard);
