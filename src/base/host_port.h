/*
 * host_port: "host:port", "[v6]:port" and ":port", as flags take them.
 *
 * Pure: nothing is resolved.  A host is an IP literal or empty (every
 * address); names, service names and port 0 are errors.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum host_port_status {
    HOST_PORT_OK,
    HOST_PORT_NO_COLON, /* no ":port" at the end */
    HOST_PORT_BAD_HOST, /* not an IP literal */
    HOST_PORT_BAD_PORT, /* not a number from 1 to 65535 */
};

struct host_port {
    struct sockaddr_storage addr; /* AF_INET6 any when the host is empty */
    socklen_t addr_len;
    uint16_t port; /* host byte order */
    bool any;      /* the host was empty: both families */
};

/* *ret is written on HOST_PORT_OK only. */
MUST_CHECK NONNULL enum host_port_status host_port_parse(
    struct span text, struct host_port *ret);

/* What is wrong, for a person. */
const char *host_port_text(enum host_port_status status);

/* True for 127.0.0.0/8 and ::1. */
NONNULL bool host_port_is_loopback(const struct host_port *hp);
