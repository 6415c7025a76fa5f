/*
 * agents: the processes that talk out on the relay's behalf, from options to
 * their end.  Today that is the one that orders certificates (acme/agent.h).
 *
 * They are forked before threads are started and before the relay seals
 * itself: they keep the right to connect out, which it gives up.  Each holds
 * its own secrets and no others, and has a seal of its own.
 */
#pragma once

#include <sys/types.h>

#include "base/attr.h"
#include "relay/config.h"

struct agents {
    int channel; /* the relay's end; -1: handed on, or no agent runs */
    int process; /* of the supervisor, pidfd_open(2); -1: none */
    pid_t pid;
};

/* Add what is wrong with their options to the problems of the config. */
NONNULL void agents_check(struct config *config);

/*
 * credentials_check() in a process of its own, so that nothing of the key is
 * left in this one's memory but the variable itself.  NULL, or the reason.
 */
NONNULL const char *agents_check_credentials(const char *document);

/* Start those that the options ask for.  False: it was logged why not. */
MUST_CHECK NONNULL bool agents_start(
    const struct config *config, struct agents *ret);

/* Wait for their end, for a moment: the channel is closed by now. */
NONNULL void agents_end(struct agents *agents);
