/*
 * supervisor: the certificate agent as a process of its own, started anew
 * when it dies.  See outward/supervised.h.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "acme/agent.h"
#include "base/attr.h"

struct supervisor_config {
    struct agent_config agent;
    /* Give up what agent and supervisor do not need, secrets in the memory and
     * the environment that the fork has copied included: called once, in the
     * supervisor, before the first agent; false ends it.  NULL: nothing. */
    bool (*confine)(void *ctx);
    void *ctx;
};

/*
 * Fork the supervisor, as supervised_start() does: *ret_fd is the relay's end
 * of the channel, *ret_pid the supervisor.  An agent's death is told as
 * AGENT_FAILURE with AGENT_DIED.  0 or -errno; -EINVAL: agent_config_fault().
 */
MUST_CHECK NONNULL int supervisor_start(
    const struct supervisor_config *config, int *ret_fd, pid_t *ret_pid);
