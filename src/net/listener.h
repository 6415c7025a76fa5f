/*
 * listener: a listening socket and the connections that it hands out.
 *
 * A reserve descriptor is kept for the day when none is left: then the
 * newest connection is accepted and closed at once, so that the peer sees an
 * end and the loop does not spin.  Listeners on several threads take turns, so
 * that none takes the descriptor that another gives up for a moment.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "net/worker.h"

struct listener;

/* A new connection: the descriptor, non-blocking and close-on-exec, is the
 * callee's. */
typedef void listener_accept_fn(
    struct listener *l, int fd, const struct sockaddr_storage *peer);
/* No descriptor was left (-EMFILE, -ENFILE ...); one connection was refused,
 * unless the reserve is gone, too: another thread was faster when it was given
 * up for a moment.  The callee then makes a descriptor free, or has it rest.
 * One that rests already, for want of memory, is to be resumed. */
typedef void listener_exhausted_fn(struct listener *l, int error);

/* A listening socket that nobody accepts from yet. */
struct listener_socket {
    int fd; /* -1: none */
    /* Somebody else holds it, too, and goes on with it after us: it is closed,
     * never shut down. */
    bool lent;
};

struct listener {
    struct watch watch;
    listener_accept_fn *accept;
    listener_exhausted_fn *exhausted;
    void *owner;
    struct listener *next; /* of the same owner */
    pthread_mutex_t *turn; /* of listeners on several threads; NULL: alone */
    int fd;                /* -1 when closed, or not started */
    int reserve;           /* -1 when it could not be had again */
    bool rests;            /* the loop could not watch it for want of memory */
    atomic_bool lent;      /* as in its socket */
};

/* How sockets of one address go together. */
enum listener_share {
    LISTENER_ALONE,   /* nobody else may bind the address */
    LISTENER_FIRST,   /* the same, and siblings of ours may follow */
    LISTENER_SIBLING, /* one more on the address of a first one */
};

/*
 * Bind and listen; *ret_fd is the caller's.  -errno; -ENOPROTOOPT where the
 * kernel has no SO_REUSEPORT, which siblings share an address by (socket(7)).
 */
MUST_CHECK NONNULL int listener_open(const struct sockaddr_storage *addr,
    socklen_t addr_len, enum listener_share share, int *ret_fd);

/* Start accepting.  Takes the descriptor over on success only. */
MUST_CHECK NONNULL int listener_start(
    struct listener *l, struct worker *w, struct listener_socket socket);
/* Look at the queue no more until listener_resume(): there is nothing to take
 * it by. */
NONNULL void listener_rest(struct listener *l);
NONNULL void listener_resume(struct listener *l);

/* Take nothing more from now on, not even into the kernel's queue; from any
 * thread while the worker has not stopped it.  Nothing where it is lent: its
 * queue is another's. */
NONNULL void listener_refuse(const struct listener *l);
/* Stop and close; safe on one that never started. */
NONNULL void listener_stop(struct listener *l);
