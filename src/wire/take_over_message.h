/*
 * take_over_message: what a relay that is started and the one that runs say to
 * each other when the first takes over from the second (docs/architecture.md).
 *
 *     taker                      giver
 *     ASK version          ->
 *                          <-    OFFER version, kinds  + as many descriptors
 *     (posture, bind, seal)
 *     READY                ->
 *                          <-    YIELDED               or REFUSED at any time
 *
 * One message is one datagram.  Pure: the spans of a parsed message point into
 * the input; the encoder writes to the caller's memory.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum {
    TAKE_OVER_VERSION_MAX = 64, /* bytes of a program's version */
    TAKE_OVER_PUBLIC_MAX = 120, /* sockets of the public address */
    /* those, and one of each other kind */
    TAKE_OVER_SOCKETS_MAX = TAKE_OVER_PUBLIC_MAX + 4,
    TAKE_OVER_MESSAGE_MAX = 4 + TAKE_OVER_VERSION_MAX + TAKE_OVER_SOCKETS_MAX,
};

enum take_over_direction {
    TAKE_OVER_TO_GIVER,
    TAKE_OVER_TO_TAKER,
};

enum take_over_type {
    /* To the giver. */
    TAKE_OVER_ASK,   /* version: the taker's */
    TAKE_OVER_READY, /* it could serve from now on */

    /* To the taker. */
    TAKE_OVER_OFFER,   /* version: the giver's; kinds: of the descriptors */
    TAKE_OVER_YIELDED, /* the giver accepts no more */
    TAKE_OVER_REFUSED, /* refusal: why */
    TAKE_OVER_TYPE_COUNT
};

/* What a descriptor is; in an offer they stand in this order.  Of PUBLIC there
 * are one or more, of PATH one, of the others one at most. */
enum take_over_kind {
    TAKE_OVER_PUBLIC,
    TAKE_OVER_METRICS,
    TAKE_OVER_CHALLENGES,
    TAKE_OVER_PATH, /* where the giver was asked */
    TAKE_OVER_LOCK, /* of the instance; the lock itself goes along */
    TAKE_OVER_KIND_COUNT
};

/* enumerator, text for the log */
#define TAKE_OVER_REFUSAL_LIST(X)                                              \
    X(TAKE_OVER_BUSY, "another process is taking over already")                \
    X(TAKE_OVER_OUT_OF_TURN, "a message came out of turn")                     \
    X(TAKE_OVER_TOO_LATE, "it took too long")

#define X(name, text) name,
enum take_over_refusal { TAKE_OVER_REFUSAL_LIST(X) TAKE_OVER_REFUSAL_COUNT };
#undef X

struct take_over_message {
    enum take_over_type type;
    enum take_over_refusal refusal; /* of REFUSED */
    struct span version;            /* of ASK and OFFER: printable ASCII */
    struct span kinds; /* of OFFER: a byte for each, enum take_over_kind */
};

enum take_over_status {
    TAKE_OVER_OK,
    TAKE_OVER_BAD,          /* no message of that direction */
    TAKE_OVER_OTHER_FORMAT, /* of a program that speaks another version */
};

/* Parse one datagram, which travels in that direction.  *ret is written on
 * TAKE_OVER_OK only. */
MUST_CHECK NONNULL enum take_over_status take_over_message_parse(struct span in,
    enum take_over_direction direction, struct take_over_message *ret);

/* Write the message to ret, TAKE_OVER_MESSAGE_MAX bytes.  Returns its length,
 * 0 if it breaks a rule that the parser checks. */
MUST_CHECK NONNULL size_t take_over_message_encode(
    const struct take_over_message *message, uint8_t *ret);

/* For the log. */
const char *take_over_refusal_text(enum take_over_refusal refusal);
