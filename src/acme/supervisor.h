/*
 * supervisor: the process between relay and agent that starts the agent anew
 * when it dies.
 *
 *     relay --fork--> supervisor --fork--> agent
 *        \_____________ channel ____________/
 *
 * The relay cannot do that itself: once sealed it may not make processes, and
 * an agent made by it would inherit its seal.  The supervisor only waits; it
 * keeps the agent's end of the channel open, so the relay sees one channel
 * for as long as it lives.  It ends with the agent that ends well, or when
 * the relay's end is closed; an agent whose supervisor is killed dies with it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "acme/agent.h"
#include "base/attr.h"

enum {
    /* between an agent's death and the next one; doubled up to the maximum,
     * reset by an agent that lived longer than that */
    SUPERVISOR_RESTART_MIN_MS = 1000,
    SUPERVISOR_RESTART_MAX_MS = 300000,
};

struct supervisor_config {
    struct agent_config agent;
    /* Give up what agent and supervisor do not need, secrets in the memory and
     * the environment that the fork has copied included: called once, in the
     * supervisor, before the first agent; false ends it.  NULL: nothing. */
    bool (*confine)(void *ctx);
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
MUST_CHECK NONNULL int supervisor_start(
    const struct supervisor_config *config, int *ret_fd, pid_t *ret_pid);
