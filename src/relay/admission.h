/*
 * admission: from a request head to an answer, or to a place among the
 * connections.
 *
 * In the contract's order: rate limit, cap, required headers, WebSocket
 * handshake, all on the shard that accepted; then, on the shard that owns the
 * server-id, the 101 and the registry's word.
 */
#pragma once

#include "relay/conn.h"
#include "wire/http_head.h"

/* Answer what needs no WebSocket.  NULL: it was answered; else the shard that
 * owns the connection from now on. */
NONNULL struct shard *admission_judge(
    struct conn *c, const struct http_head *head);

/* On its owner: switch protocols and register. */
NONNULL void admission_enter(struct conn *c, const struct http_head *head);

/* The head is malformed. */
NONNULL void admission_bad_head(struct conn *c, enum http_status status);

/* A binary holds its slot: count and log it. */
NONNULL void admission_claimed(struct conn *c, struct span version);
