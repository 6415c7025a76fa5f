/* peer_part: what peer.c, peer_input.c and peer_upgrade.c share. */
#pragma once

#include "bench/peer.h"

/* Close the peer, and tell its owner. */
NONNULL void peer_lose(struct peer_host *host, struct peer *p, const char *why);

/* Frames follow from here on. */
NONNULL void peer_enter_frames(struct peer_host *host, struct peer *p);

/* Make heads and frames of what was read; keep what is not whole. */
NONNULL void peer_take_bytes(
    struct peer_host *host, struct peer *p, struct span in);

/* Send the request for a WebSocket, RFC 6455 section 4.1. */
NONNULL void peer_upgrade_ask(struct peer_host *host, struct peer *p);

/*
 * Read the head at the start of in: the answer to our request, or a request,
 * which is answered and names the pair.  Its length, 0 while it is not whole;
 * a bad one closes the peer.
 */
NONNULL size_t peer_upgrade_read(
    struct peer_host *host, struct peer *p, struct span in);
