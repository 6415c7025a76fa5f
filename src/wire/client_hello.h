/*
 * client_hello: what a ClientHello asks for: the server's name (RFC 6066
 * section 3), protocols (RFC 7301 section 3.1), and a kind of certificate.
 *
 * Pure.  The spans are the bodies of extensions, and the list of cipher
 * suites, as a peer sent them.
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

/*
 * Does the client take an ECDSA certificate on P-256?  By the body of
 * signature_algorithms (RFC 8446 section 4.2.3; empty: absent), and by its
 * cipher suites, whose names say it up to TLS 1.2 (RFC 8422) and do not since.
 */
MUST_CHECK bool client_hello_takes_ecdsa(
    struct span signature_algorithms, struct span suites);
