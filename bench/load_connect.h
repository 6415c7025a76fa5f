/* load_connect: how the pairs of a run come to be, by its form. */
#pragma once

#include "bench/load_run.h"

/* TLS contexts and our listener, as the options ask: 0, or -errno. */
MUST_CHECK NONNULL int load_connect_prepare(struct load_run *run);

/* Connect all pairs; true once all are open, false on a fault. */
MUST_CHECK NONNULL bool load_connect_pairs(struct load_run *run);

/* Take what our listener has. */
NONNULL void load_connect_accept(struct load_run *run);
