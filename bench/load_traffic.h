/* load_traffic: messages over the pairs of a run, for flood and ping. */
#pragma once

#include "bench/load_run.h"

extern const struct peer_events load_traffic_events;

/* One message from each phone, from which binaries learn whom to answer. */
NONNULL void load_traffic_introduce(struct load_run *run);
MUST_CHECK NONNULL bool load_traffic_is_introduced(const struct load_run *run);

/* Send as the options say, until the phase is LOAD_DRAINING. */
NONNULL void load_traffic_start(struct load_run *run);
load_tick_fn load_traffic_tick;

/* Whether all messages that options->messages asks for were received. */
load_done_fn load_traffic_is_complete;
/* Whether nothing is under way. */
load_done_fn load_traffic_is_drained;
