/*
 * load_churn: connections that are made, with their TLS handshake, and ended
 * at once, so many under way at any time.
 *
 * A connection counts once the server has ended it too: it has then done all
 * of its work for the handshake.
 */
#pragma once

#include "bench/load_run.h"

extern const struct peer_events load_churn_events;

/*
 * Have a session to resume, if options->resume; then start the first
 * connections.  Each that ends is followed by another until the phase is
 * LOAD_DRAINING.
 */
NONNULL void load_churn_start(struct load_run *run);
