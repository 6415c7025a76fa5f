/*
 * supervised: a process that talks to the outside for the relay, and the
 * supervisor between the two that starts it anew when it dies.
 *
 *     relay --fork--> supervisor --fork--> outward process
 *        \_____________ channel ______________/
 *
 * The relay cannot do that itself: once sealed it may not make processes, and
 * one made by it would inherit its seal.  The supervisor only waits; it keeps
 * the outward end of the channel open, so the relay sees one channel for as
 * long as it lives.  It ends with the process that ends well, or when the
 * relay's end is closed; a process whose supervisor is killed dies with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

enum {
    /* between a death and the next process; doubled up to the maximum, reset
     * by one that lived longer than that */
    SUPERVISED_RESTART_MIN_MS = 1000,
    SUPERVISED_RESTART_MAX_MS = 300000,
};

/* How the process ended that is to be started anew. */
struct supervised_death {
    int signal;        /* 0: it ended by itself */
    int status;        /* then its exit status */
    uint64_t delay_ms; /* until the next one */
};

struct supervised {
    const char *name; /* of the process, and of its supervisor: comm(5) */
    const char *supervisor_name;
    int kept; /* a descriptor that both keep, beside the channel; -1: none */
    /* Give up what both do not need, secrets in the memory and the environment
     * that the fork has copied included: called once, in the supervisor,
     * before the first process; false ends it.  NULL: nothing. */
    bool (*confine)(void *ctx);
    /* Be the process on that end of the channel; 0: it did, and is not to be
     * started anew. */
    int (*run)(void *ctx, int channel, int kept);
    /* Tell the relay, in the supervisor. */
    void (*died)(void *ctx, int channel, const struct supervised_death *death);
    void *ctx;
};

/*
 * Fork the supervisor; call it before threads are made and before the seal.
 * *ret_fd is the relay's end of the channel, SOCK_SEQPACKET, close-on-exec
 * and blocking; closing it ends everything.  Both processes keep the standard
 * streams and no other descriptor, ignore SIGINT, SIGTERM and SIGHUP (the relay
 * decides when they end).  *ret_pid is the supervisor, the caller's child to
 * wait for.  0 or -errno.
 */
MUST_CHECK NONNULL int supervised_start(
    const struct supervised *plan, int *ret_fd, pid_t *ret_pid);
