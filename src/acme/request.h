/*
 * request: the two things that we sign with a certificate's own key: the
 * request for it (PKCS#10) and the proof of control of RFC 8737.
 */
#pragma once

#include <openssl/types.h>

#include "acme/pem.h"
#include "base/attr.h"
#include "base/span.h"

enum { REQUEST_DER_MAX = 1024 }; /* bytes; 500 for the longest domain */

/*
 * The request for a certificate of that domain, DER, as RFC 8555 section 7.4
 * wants it: the domain as the only subject alternative name.  Its length, 0
 * if it cannot be made.
 */
MUST_CHECK NONNULL size_t request_write(
    EVP_PKEY *key, const char *domain, uint8_t ret[REQUEST_DER_MAX]);

/*
 * A self-signed certificate with the acmeIdentifier extension of RFC 8737
 * section 3 for a key authorization, and its key.  Both are written, or
 * neither.
 */
MUST_CHECK NONNULL bool request_challenge_certificate(const char *domain,
    const char *key_auth, struct pem *ret_key, struct pem *ret_cert);
