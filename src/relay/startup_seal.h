/*
 * startup_seal: the relay gives up what it no longer needs, once its sockets
 * are bound and verified, and logs what came of it.  See posture/seal.h.
 */
#pragma once

#include "base/attr.h"
#include "relay/config.h"

/* False: the seal is not whole, --require-seal was given, and it was logged. */
MUST_CHECK NONNULL bool startup_seal(const struct config *config);
