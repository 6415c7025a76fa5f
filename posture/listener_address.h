/*
 * listener_address: a socket that waits for whoever comes, as a policy names
 * it: "IP:PORT", "[IP]:PORT" or ":PORT" of TCP, the same behind "tcp:", "udp:"
 * or "mptcp:", and "unix:PATH" or "unixgram:PATH", where "@" begins the name
 * of an abstract one.
 *
 * Pure: nothing is resolved.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/host_port.h"

struct listener_address {
    const char
        *path; /* of a unix socket, in the text that was parsed; or NULL */
    struct host_port where; /* of the others */
    int type;               /* SOCK_STREAM or SOCK_DGRAM */
    int protocol;           /* IPPROTO_..., 0 of a unix socket */
};

/* False: it is none; *ret is then not written. */
MUST_CHECK NONNULL bool listener_address_parse(
    const char *text, struct listener_address *ret);

NONNULL bool listener_address_is_same(
    const struct listener_address *a, const struct listener_address *b);

/* Is it that unix socket?  addr and len are what getsockname(2) says. */
NONNULL bool listener_address_is_path(
    const char *path, const struct sockaddr_storage *addr, socklen_t len);

/* Do both have the same IP address, whatever the port? */
NONNULL bool listener_address_same_host(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b);
