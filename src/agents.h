/*
 * agents: the processes that talk out on the relay's behalf, from options to
 * their end: one orders certificates (acme/agent.h), one sends push wakes
 * (push/process.h).
 *
 * They are forked before threads are started and before the relay seals
 * itself: they keep the right to connect out, which it gives up.  Each holds
 * its own secrets and no others, and has a seal of its own.
 */
#pragma once

#include <sys/types.h>

#include "base/attr.h"
#include "relay/config.h"

struct agents_process {
    int channel; /* the relay's end; -1: handed on, or none runs */
    int process; /* of the supervisor, pidfd_open(2); -1: none */
    pid_t pid;
};

struct agents {
    struct agents_process certificates;
    struct agents_process push;
};

/* None runs. */
NONNULL void agents_init(struct agents *agents);

/* Add what is wrong with their options to the problems of the config. */
NONNULL void agents_check(struct config *config);

/*
 * credentials_check() in a process of its own, so that nothing of the key is
 * left in this one's memory but the variable itself.  NULL, or the reason.
 */
NONNULL const char *agents_check_credentials(const char *document);

/*
 * Start the push process if there are credentials, and forget them: no other
 * process has them then.  False: it was logged why not.
 */
MUST_CHECK NONNULL bool agents_start_push(
    const struct config *config, struct agents *agents);

/* Start the one for certificates if the options ask for it; after the above.
 * False: it was logged why not. */
MUST_CHECK NONNULL bool agents_start_certificates(
    const struct config *config, struct agents *agents);

/* Wait for their end, for a moment: their channels are closed by now. */
NONNULL void agents_end(struct agents *agents);
