/*
 * signals: chosen signals as events of a worker's loop, by signalfd(2).
 *
 * They are blocked for the calling thread, and so for those that it starts
 * afterwards.  They stay so after signals_stop(): whoever is ending anyway is
 * not to be ended by the second of two.
 */
#pragma once

#include <signal.h>

#include "net/worker.h"

struct signals;
typedef void signals_fn(struct signals *s, int number);

struct signals {
    struct watch watch;
    signals_fn *arrived;
    void *owner;
    int fd; /* 0 while not started */
};

/* Have arrived called for the signals of that set.  0 or -errno. */
MUST_CHECK NONNULL int signals_start(
    struct signals *s, struct worker *w, const sigset_t *which);

/* Nothing arrives any more; safe on one that is all zero. */
NONNULL void signals_stop(struct signals *s);
