/*
 * token: the access token that requests to FCM carry, and for how long.
 *
 * RFC 6749 section 5.1.  One is shared by all requests, and is left a little
 * before it expires.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    TOKEN_MAX = 3072,        /* bytes; Google's have at most 2048 */
    TOKEN_MARGIN_MS = 10000, /* not used in its last seconds */
    TOKEN_LIFETIME_S = 3600, /* where the answer does not say */
    TOKEN_LIFETIME_MAX_S = 86400,
};

struct token {
    char text[TOKEN_MAX + 1]; /* "": none */
    uint64_t until_ms;        /* monotonic */
    uint32_t serial;          /* of the tokens so far */
};

/* The token of an answer that came at now_ms, in place of the one before.
 * False: there is none in it; the one before stays. */
MUST_CHECK NONNULL bool token_take(
    struct token *token, struct span answer, uint64_t now_ms);

/* May it be used at that time? */
NONNULL bool token_is_good(const struct token *token, uint64_t now_ms);

/* Forget it. */
NONNULL void token_drop(struct token *token);
