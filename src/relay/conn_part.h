/*
 * conn_part: what the two files of a connection share: conn.c, its states and
 * deadlines, and conn_write.c, from its queue to the socket.
 */
#pragma once

#include "relay/conn.h"
#include "relay/metrics.h"

enum conn_waits { CONN_WAITS_FOR_NOTHING, CONN_WAITS_TO_WRITE };

/* Read or stop reading, as queues and slot ask for, and wait for room in the
 * socket, or not. */
NONNULL void conn_set_interest(struct conn *c, enum conn_waits waits);

/* Bytes moved, by the leg that they moved on. */
NONNULL void conn_count_bytes(
    struct conn *c, const enum metric by_role[3], size_t len);

/* Does anything wait for the socket? */
NONNULL bool conn_is_behind(const struct conn *c);

/* The socket takes nothing more, ever. */
NONNULL void conn_write_failed(struct conn *c, const char *why);

/* One that dies while marked is taken off the list: the loop frees it before
 * the next flush could meet it. */
NONNULL void conn_unmark(struct conn *c);
