/*
 * push_message: what the relay and its push process say to each other over
 * their socket pair (src/push/process.h, docs/push.md).
 *
 * A message is a fixed head and a text; each type has its own limits and one
 * direction, and all of it is checked here.  The socket keeps messages apart,
 * so a message is parsed whole.  Pure: the text of a parsed message points
 * into the input.  A wake's text is a device's token: the buffers that it
 * passes through are wiped by their owners.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "wire/push_wake.h"

enum {
    PUSH_HEAD_LEN = 8,
    PUSH_TEXT_MAX = 256, /* bytes of a result's text: an id or a sentence */
    PUSH_MESSAGE_MAX = PUSH_HEAD_LEN + PUSH_TOKEN_MAX,
};

enum push_direction {
    PUSH_TO_RELAY,
    PUSH_TO_PROCESS,
};

enum push_type {
    /* To the relay. */

    /* a process has begun, maybe after another has died */
    PUSH_STARTED,
    /* what came of the wake with that id: outcome, how many requests to send
     * it were made; text: FCM's id of a message that was sent, or empty, else
     * one sentence for the log */
    PUSH_RESULT,
    /* of the supervisor: the process died; text: how */
    PUSH_DIED,

    /* To the process. */

    /* send one: an id of the relay's choice, text: the device's token */
    PUSH_SEND,
    /* cancel what is under way, report it, end */
    PUSH_STOP,
    PUSH_TYPE_COUNT
};

/* The names are those of the metric. */
#define PUSH_OUTCOME_LIST(X)                                                   \
    X(PUSH_SENT, "sent")                                                       \
    X(PUSH_UNREGISTERED, "unregistered") /* the app is gone from the device */ \
    X(PUSH_SEND_FAILED, "send_failed")                                         \
    X(PUSH_TOKEN_FETCH_FAILED, "token_fetch_failed") /* no access token */

enum push_outcome {
#define X(name, text) name,
    PUSH_OUTCOME_LIST(X)
#undef X
        PUSH_OUTCOME_COUNT
};

struct push_message {
    enum push_type type;
    enum push_outcome outcome; /* PUSH_RESULT; else 0 */
    uint8_t requests;          /* likewise */
    uint32_t id;               /* PUSH_SEND and PUSH_RESULT, not 0; else 0 */
    struct span text;
};

/*
 * Parse one whole message, which travels in that direction; false: the other
 * side is broken.  *ret is written on success only.  A token is any bytes; every
 * other text is printable ASCII.
 */
MUST_CHECK NONNULL bool push_message_parse(
    struct span in, enum push_direction direction, struct push_message *ret);

/* Write the message to ret, cap bytes.  Returns its length; 0 if it breaks a
 * rule that the parser checks, or does not fit.  PUSH_MESSAGE_MAX is enough. */
MUST_CHECK NONNULL size_t push_message_encode(
    const struct push_message *message, uint8_t *ret, size_t cap);

const char *push_outcome_name(enum push_outcome outcome);
