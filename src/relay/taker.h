/*
 * taker: the boot of a relay that takes over from one that runs.
 *
 * Blocking, and before any thread: ask who listens at the path, receive its
 * listening sockets once our own posture was checked, and say when we could
 * serve.  Until taker_ready() has succeeded the other goes on serving, and
 * whatever ends us leaves it as it was.  The other side is relay/giver.h, what
 * they say wire/take_over_message.h.  Failures are logged here.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "net/inherited.h"
#include "relay/config.h"

struct taker {
    const char *path; /* of --take-over; borrowed */
    int giver;        /* the connection to it; -1: nobody is taken over from */
    int socket;       /* listens at the path; -1: not yet */
    int lock;         /* the instance lock that was handed over; -1: none */
};

/* Nothing is asked, nothing held. */
NONNULL struct taker taker_over(const char *path);
/* Close what it still holds: the other, if any, then goes on serving. */
NONNULL void taker_done(struct taker *t);

/* Ask who is there, if anybody is.  False: the path is none to be trusted. */
MUST_CHECK NONNULL bool taker_ask(struct taker *t);

/* Did somebody answer?  That is no other instance, but the one before. */
NONNULL bool taker_is_second(const struct taker *t);

/* Receive what the other listens with, by the options' names; nothing where
 * nobody was there.  False: it refused, or does not answer. */
MUST_CHECK NONNULL bool taker_receive(
    struct taker *t, const struct config *config, struct inherited *ret);

/* Close the lock that was handed over: nobody here wants it. */
NONNULL void taker_drop_lock(struct taker *t);

/* Listen at the path, unless its socket was handed over.  Once everything else
 * is bound: so of two that start at once one stays. */
MUST_CHECK NONNULL bool taker_listen(struct taker *t);

/* Say that we could serve, and wait until the other yields.  False: it does
 * not; do not serve. */
MUST_CHECK NONNULL bool taker_ready(struct taker *t);
