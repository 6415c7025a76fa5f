/*
 * yield: the end of a relay that was taken over from.
 *
 * Another process accepts on the same sockets, so nothing is shut down: ours
 * are closed, who is in its handshake goes on, and connections are closed a
 * few at a time over --drain-seconds, so that clients do not return all at
 * once.  A server-id goes as a whole, and what has arrived from its members is
 * delivered before their close frames.
 */
#pragma once

#include "base/attr.h"

struct relay;
struct shard;

/* On the control shard: accept no more, and let go. */
NONNULL void yield_all(struct relay *relay);

/* Likewise, once a second: when nobody is left the drain need not wait. */
NONNULL void yield_look(struct relay *relay);

/* On the shard, which accepts no more. */
NONNULL void yield_shard(struct shard *shard);
