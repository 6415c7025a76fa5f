/*
 * shard_account: which budget of the relay a connection is counted against,
 * and which list of its shard it is on; the only place that moves it.
 *
 * What shard.c alone needs is here; shard.h has what connections ask for.
 */
#pragma once

#include "relay/shard.h"

/* From no budget any more, and on no list; its address's account ends. */
NONNULL void shard_uncount(struct conn *c);

/* On the list of that account, in whose budget it is already. */
NONNULL void shard_count_as(struct conn *c, enum conn_account as);
/* Off its list, while it stays counted. */
NONNULL void shard_delist(struct conn *c);

/* Count it anew as one that waits, while its address keeps its place.  It may
 * be dropped for want of room. */
NONNULL void shard_count_new(struct conn *c, enum conn_account as);

/* Another shard asks: if too many wait, one of this shard's makes room. */
NONNULL void shard_make_room(struct shard *shard);
