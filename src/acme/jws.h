/*
 * jws: the signed requests of ACME: RFC 7515 in its flattened JSON form with
 * ES256 (RFC 7518), as RFC 8555 section 6.2 wants them, and the key's
 * thumbprint, RFC 7638.
 */
#pragma once

#include <openssl/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/text.h"

enum { JWS_THUMBPRINT_LEN = 43 }; /* base64url of 32 bytes */

struct jws_head {
    const char *url;   /* the request's own */
    const char *nonce; /* from the CA */
    const char *kid;   /* the account's URL; NULL: the key itself */
};

/*
 * Append the request to *ret.  False if it does not fit, cannot be signed, or
 * if a text of the head has a character that JSON would have to escape.  An
 * empty payload stays empty (POST-as-GET).
 */
MUST_CHECK NONNULL bool jws_sign(EVP_PKEY *key, const struct jws_head *head,
    struct span payload, struct text *ret);

/* The thumbprint of a key on P-256, base64url; false if it is none. */
MUST_CHECK NONNULL bool jws_thumbprint(
    EVP_PKEY *key, char ret[JWS_THUMBPRINT_LEN + 1]);
