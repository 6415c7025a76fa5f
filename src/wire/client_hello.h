/*
 * client_hello: what two extensions of a ClientHello ask for: the server's
 * name (RFC 6066 section 3) and protocols (RFC 7301 section 3.1).
 *
 * Pure.  The spans are the bodies of the extensions, as a peer sent them.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

/* The host name; *ret points into the body.  False: the body holds none, or
 * is malformed. */
MUST_CHECK NONNULL bool client_hello_host_name(
    struct span body, struct span *ret);

/* Is that protocol among those that the body lists? */
NONNULL bool client_hello_offers(struct span body, const char *protocol);
