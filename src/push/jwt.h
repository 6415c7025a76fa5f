/*
 * jwt: the signed claim that Google trades for an access token: RFC 7519 with
 * RS256 (RFC 7518 section 3.3), as RFC 7523 section 2.1 uses it.
 */
#pragma once

#include <stdint.h>

#include "base/text.h"
#include "push/credentials.h"

enum {
    JWT_LIFETIME_S = 3600, /* the most that Google takes */
    JWT_MAX = 8192,        /* bytes, for every key up to 16384 bits */
};

/*
 * Append the claim of the account, made at that Unix time.  False if it does
 * not fit or cannot be signed.
 */
MUST_CHECK NONNULL bool jwt_sign(
    const struct credentials *account, int64_t now_s, struct text *ret);
