/*
 * delivery: a message's last step, into its peer's socket or its outbox.
 *
 * A peer that waits for nothing is written to at once, without a queue; the
 * bytes of a large message then go from the read buffer to the socket without
 * a copy.  Whatever the socket does not take waits in the outbox, and so do
 * errors, which the next flush finds.
 */
#pragma once

#include "relay/conn.h"

struct delivery {
    struct conn *to;
    struct span prefix;  /* what stands before the payload, */
    struct span payload; /* from the read buffer, */
    struct span suffix;  /* and behind it */
    size_t cost;         /* what it is charged while it waits */
    uint32_t from;       /* number of the phone that sent it, or 0 */
};

enum delivery_end {
    DELIVERY_SENT,
    DELIVERY_QUEUED, /* and it is charged */
    DELIVERY_NO_MEMORY,
};

/* As one text frame. */
MUST_CHECK NONNULL enum delivery_end delivery_make(const struct delivery *d);
