/*
 * giver: a running relay's side of a take-over, on the control shard.
 *
 * It listens at --take-over's path, answers one process of its own user at a
 * time with copies of all its listening sockets, and goes on serving until
 * that one says that it is ready.  Whoever asks and goes away has changed
 * nothing.  The other side is relay/taker.h.
 */
#pragma once

#include "net/listener.h"
#include "net/stream.h"
#include "net/timer.h"

struct relay;

enum giver_state {
    GIVER_OFF,
    GIVER_WAITS,   /* nobody is there */
    GIVER_ASKED,   /* somebody is, and has to say what it wants */
    GIVER_OFFERED, /* it has our sockets, and prepares */
    GIVER_CLOSING, /* the loop lets go of it */
};

struct giver {
    struct relay *relay;
    struct listener listener;
    struct stream peer;  /* the taker */
    struct timer answer; /* it must have said something by then */
    struct timer rested; /* the listener goes on */
    enum giver_state state;
    pid_t pid; /* of the taker */
    int lock;  /* of the instance, not owned; -1: none */
};

/* Start to listen; takes the path's socket over on success only.  0 or
 * -errno. */
MUST_CHECK NONNULL int giver_start(
    struct giver *g, struct relay *relay, int socket, int lock);

/* Break off and stop; safe on one that never started, all zero. */
NONNULL void giver_stop(struct giver *g);
