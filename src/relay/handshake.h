/*
 * handshake: what comes before a request head on the TLS port: a PROXY header
 * where one is expected, then TLS.
 *
 * A connection costs no TLS state before its first byte.  Whoever does not get
 * through is counted; the contract wants silence for PROXY headers, and an
 * alert and a line for TLS.
 */
#pragma once

#include "relay/conn.h"

/* The socket is readable in CONN_PROXY, or in CONN_TLS. */
NONNULL void handshake_read_proxy(struct conn *c);
NONNULL void handshake_read_tls(struct conn *c);

/* A certificate is there: some of those that awaited it go on.  True: others
 * still wait for their turn. */
MUST_CHECK NONNULL bool handshake_resume(struct shard *shard);
/* Of one that awaits it: its time is over; its peer is gone. */
NONNULL void handshake_give_up(struct conn *c);
NONNULL void handshake_abandoned(struct conn *c);
