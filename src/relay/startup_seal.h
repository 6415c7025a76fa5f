/*
 * startup_seal: a process gives up what it does not need, and logs what came
 * of it: the relay once its sockets are bound and verified, and each of its
 * agents before it begins.  See posture/seal.h.
 */
#pragma once

#include "base/attr.h"
#include "relay/config.h"

/* False: the seal is not whole, --require-seal was given, and it was logged. */
MUST_CHECK NONNULL bool startup_seal(const struct config *config);

/*
 * In an agent's process, which may connect out, start processes like itself,
 * and write in that directory (NULL: nowhere): it serves nobody, runs no other
 * program and holds no capability.  False: as above.
 */
MUST_CHECK bool startup_seal_agent(
    const struct config *config, const char *agent, const char *directory);
