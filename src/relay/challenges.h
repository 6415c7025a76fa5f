/*
 * challenges: what the HTTP listener answers to a CA, RFC 8555 section 8.3.
 * Pure data of the control shard.
 */
#pragma once

#include "wire/http_head.h"

enum {
    CHALLENGES_MAX = 4, /* one domain has one at a time */
    CHALLENGE_TOKEN_MAX = 128,
    CHALLENGE_AUTHORIZATION_MAX = 192,
};

/* An empty token: a free place. */
struct challenges {
    struct {
        char token[CHALLENGE_TOKEN_MAX + 1];
        char authorization[CHALLENGE_AUTHORIZATION_MAX + 1];
    } list[CHALLENGES_MAX];
};

/* Both are copied; a token that is there already is answered anew.  False: too
 * long, empty, or too many. */
MUST_CHECK NONNULL bool challenges_add(struct challenges *challenges,
    const char *token, const char *authorization);
/* Nothing for one that is not there. */
NONNULL void challenges_remove(
    struct challenges *challenges, const char *token);

NONNULL void challenges_clear(struct challenges *challenges);

/* The status of the answer: 200, and *ret the body; 403: the Host is not
 * exactly the domain; 404: anything else. */
NONNULL unsigned challenges_answer(const struct challenges *challenges,
    const char *domain, const struct http_head *head, struct span *ret);
