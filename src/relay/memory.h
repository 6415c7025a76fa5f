/*
 * memory: the bytes that all connections keep, queued and half received,
 * against the relay's budget.
 *
 * When the budget is passed the largest consumer of the process pays, and
 * nobody else: its connection is closed.
 */
#pragma once

#include "relay/conn.h"
#include "relay/shard.h"

/* Take note of what the connection keeps now; may close connections, this one
 * included. */
NONNULL void memory_account(struct conn *c);

/* It keeps nothing any more. */
NONNULL void memory_forget(struct conn *c);

/* The letter of another shard: the budget is passed, and the largest consumer
 * is here; if it is not any more, the letter goes on. */
NONNULL void memory_shed(struct shard *shard);
