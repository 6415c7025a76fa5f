/*
 * frames: a connection's bytes become a request head, then messages.
 *
 * Reads go to the worker's scratch buffer; only what is incomplete at its end
 * is kept, in a buffer of exactly the size that it will have.
 */
#pragma once

#include "relay/conn.h"

/* The socket is readable in CONN_HEAD. */
NONNULL void frames_read_head(struct conn *c);

/* On the shard that owns it, with the head that it brought along. */
NONNULL void frames_resume_head(struct conn *c);

/* The socket is readable in CONN_OPEN or CONN_CLOSING. */
NONNULL void frames_read(struct conn *c);

/* What has come of a message is not wanted any more: keep nothing of it, and
 * nothing of its rest. */
NONNULL void frames_give_up(struct conn *c);

/* Bytes that came behind the request head, once the connection is open. */
NONNULL void frames_feed(struct conn *c, uint8_t *bytes, size_t len);
