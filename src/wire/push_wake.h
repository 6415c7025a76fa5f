/*
 * push_wake: the wish of a binary that a device be woken, the value of
 * push_wake in its envelope.  See docs/protocol.md.
 *
 * Pure; the token is written to the caller's memory.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum {
    /* bytes; those of FCM have about 160 */
    PUSH_TOKEN_MAX = 4096,
};

/* name, text for the log (never holds a peer's bytes) */
#define PUSH_WAKE_STATUS_LIST(X)                                               \
    X(PUSH_WAKE_OK, "a wish to wake")                                          \
    X(PUSH_WAKE_MALFORMED, "relay: malformed push_wake")                       \
    X(PUSH_WAKE_BAD_PLATFORM, "relay: push_wake platform not supported")       \
    X(PUSH_WAKE_NO_TOKEN, "relay: push_wake token is empty")                   \
    X(PUSH_WAKE_LONG_TOKEN, "relay: push_wake token is too long")

enum push_wake_status {
#define X(name, text) name,
    PUSH_WAKE_STATUS_LIST(X)
#undef X
};

/*
 * Parse a valid JSON value.  Member names match without regard to ASCII case,
 * the last duplicate wins, null is as good as absent, unknown members are
 * ignored.  *ret is the token, in buf, on PUSH_WAKE_OK only.
 */
MUST_CHECK NONNULL enum push_wake_status push_wake_parse(
    struct span value, uint8_t buf[PUSH_TOKEN_MAX], struct span *ret);

const char *push_wake_text(enum push_wake_status status);
