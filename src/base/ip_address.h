/*
 * ip_address: an address of either family, as sockets, headers and flags
 * name it.
 *
 * Always 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 section
 * 2.5.5.2).  So an IPv4 peer is the same address whether it came in over an
 * IPv4 or a dual-stack socket, and two addresses are equal if their bytes
 * are.  Pure; a zone (fe80::1%eth0) is no part of an address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

struct sockaddr;

enum {
    IP_ADDRESS_LEN = 16,      /* bytes */
    IP_ADDRESS_V4_AT = 12,    /* where the four bytes of IPv4 start */
    IP_ADDRESS_TEXT_MAX = 46, /* bytes of the longest text, with its NUL */
};

struct ip_address {
    uint8_t bytes[IP_ADDRESS_LEN];
};

/* False if it is neither AF_INET nor AF_INET6; *ret is written on success
 * only. */
MUST_CHECK NONNULL bool ip_address_from_sockaddr(
    const struct sockaddr *sa, struct ip_address *ret);

/*
 * Dotted decimal without leading zeros, or IPv6 as in RFC 4291 section 2.2:
 * what inet_pton(3) takes, and nothing around it: no port, no brackets, no
 * zone.  *ret is written on success only.
 */
MUST_CHECK NONNULL bool ip_address_parse(
    struct span text, struct ip_address *ret);

NONNULL bool ip_address_is_v4(const struct ip_address *address);

NONNULL bool ip_address_eq(
    const struct ip_address *a, const struct ip_address *b);

/*
 * Whom an address is accounted to: an IPv4 address to itself, an IPv6 address
 * to its /64, which one customer usually has whole (RFC 6177).
 */
NONNULL struct ip_address ip_address_key(const struct ip_address *address);

/* The text, NUL-terminated: dotted decimal, or IPv6 as in RFC 5952.  Returns
 * its length. */
NONNULL size_t ip_address_text(
    const struct ip_address *address, char ret[IP_ADDRESS_TEXT_MAX]);
