/*
 * pem: keys and certificates as PEM texts, and back.
 *
 * A struct pem owns its text, which may be a secret: pem_done() wipes it.
 * Keys are written as `EC PRIVATE KEY` (SEC 1) or `RSA PRIVATE KEY` (PKCS#1),
 * as the certificate directory has them; PKCS#8 is read too.  Nobody is ever
 * asked for a pass phrase.
 */
#pragma once

#include <openssl/types.h>

#include "base/attr.h"
#include "base/span.h"

struct pem {
    char *text; /* NUL-terminated; NULL if there is none */
    size_t len; /* bytes before the NUL */
};

NONNULL void pem_done(struct pem *pem);

/* Hand it on: the text it had; it has none any more. */
MUST_CHECK NONNULL struct pem pem_take(struct pem *pem);

#define OWNED_PEM CLEANUP(pem_done) struct pem

static inline struct span pem_span(const struct pem *pem)
{
    return span_of(pem->text, pem->len);
}

/* A new key on P-256, or NULL. */
MUST_CHECK EVP_PKEY *pem_new_key(void);

/* The private key in one PEM block, or NULL. */
MUST_CHECK EVP_PKEY *pem_read_key(struct span block);

/* The certificate in one PEM block, or NULL. */
MUST_CHECK X509 *pem_read_certificate(struct span block);

/* False without memory; *ret is written on success only. */
MUST_CHECK NONNULL bool pem_write_key(EVP_PKEY *key, struct pem *ret);
MUST_CHECK NONNULL bool pem_write_certificate(X509 *cert, struct pem *ret);

/* One text of two. */
MUST_CHECK NONNULL bool pem_join(
    struct span first, struct span second, struct pem *ret);
