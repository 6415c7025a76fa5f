/*
 * envelope: the routing object that binary and relay exchange, one per
 * WebSocket message.  See docs/protocol.md.
 *
 * Pure: spans of the result point into the input.  The frame inside is never
 * looked into and never re-encoded.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

/* name, text for the log (never holds a peer's bytes) */
#define ENVELOPE_STATUS_LIST(X)                                                \
    X(ENVELOPE_ROUTE, "frame or close for one phone")                          \
    X(ENVELOPE_PUSH_WAKE, "push request")                                      \
    X(ENVELOPE_NOT_OBJECT,                                                     \
        "relay: malformed routing envelope: not a JSON object")                \
    X(ENVELOPE_BAD_CONN_ID,                                                    \
        "relay: malformed routing envelope: conn_id is not a string")          \
    X(ENVELOPE_BAD_CLOSE_CODE,                                                 \
        "relay: malformed routing envelope: close_code is not an integer "     \
        "from 0 to 65535")                                                     \
    X(ENVELOPE_ILLEGAL_CLOSE_CODE,                                             \
        "relay: malformed routing envelope: close_code may not be sent in a "  \
        "close frame")                                                         \
    X(ENVELOPE_NO_CONN_ID, "relay: routing envelope missing conn_id")          \
    X(ENVELOPE_NO_FRAME, "relay: routing envelope missing frame")

enum envelope_status {
#define X(name, text) name,
    ENVELOPE_STATUS_LIST(X)
#undef X
};

struct envelope {
    struct span conn_id;   /* JSON string text, still escaped; never empty */
    struct span frame;     /* the value's bytes verbatim; len 0: no frame */
    struct span push_wake; /* the value's bytes, on ENVELOPE_PUSH_WAKE */
    uint16_t close_code;   /* 0: do not close */
};

/*
 * Parse one message of a binary.  Member names match without regard to ASCII
 * case, the last duplicate wins, unknown members are ignored.  *ret is
 * written on ENVELOPE_ROUTE and ENVELOPE_PUSH_WAKE only.
 */
MUST_CHECK NONNULL enum envelope_status envelope_parse(
    struct span in, struct envelope *ret);

/*
 * The same for what binaries mostly send: a phone's envelope_prefix(), its
 * frame and '}', and nothing else.  False: it is not that, but may be an
 * envelope all the same.
 */
MUST_CHECK NONNULL bool envelope_unwrap(
    struct span in, struct span prefix, struct span *ret_frame);

const char *envelope_text(enum envelope_status status);

/* Does the escaped conn_id of an envelope name this connection? */
bool envelope_names(const struct envelope *e, struct span conn_id);

/*
 * What stands before a phone's frame: {"conn_id":"ID","frame":   The frame
 * and one '}' follow.  Returns the bytes needed; complete only if that is at
 * most cap.  conn_id is valid UTF-8.
 */
size_t envelope_prefix(struct span conn_id, uint8_t *ret, size_t cap);

/* The close notice {"conn_id":"ID","close_code":N}; sized the same way. */
size_t envelope_close_notice(
    struct span conn_id, uint16_t code, uint8_t *ret, size_t cap);
