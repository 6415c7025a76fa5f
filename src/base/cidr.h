/*
 * cidr: a block of addresses, "10.0.0.0/8" or "2001:db8::/32", RFC 4632
 * section 3.1 and RFC 4291 section 2.3.  An address alone is a block of one.
 *
 * The families are apart: ::/0 is every IPv6 address and no IPv4 address.
 * A block of ::ffff:0:0/96 is the IPv4 block that it maps.  Pure.
 */
#pragma once

#include "base/ip_address.h"

/* name, text for a person */
#define CIDR_STATUS_LIST(X)                                                    \
    X(CIDR_OK, "a block of addresses")                                         \
    X(CIDR_BAD_ADDRESS, "not an IP address or ADDRESS/LENGTH")                 \
    X(CIDR_BAD_LENGTH, "the length is not a number from 0 to 32 (IPv4) or "    \
                       "128 (IPv6)")                                           \
    X(CIDR_HOST_BITS, "the address has bits set behind the prefix")

enum cidr_status {
#define X(name, text) name,
    CIDR_STATUS_LIST(X)
#undef X
};

struct cidr {
    struct ip_address network;
    unsigned len; /* bits, 0 to 128: an IPv4 length plus 96 */
};

/* *ret is written on CIDR_OK only. */
MUST_CHECK NONNULL enum cidr_status cidr_parse(
    struct span text, struct cidr *ret);

/* What is wrong, for a person. */
const char *cidr_text(enum cidr_status status);

NONNULL bool cidr_contains(
    const struct cidr *cidr, const struct ip_address *address);

/* Is the address in one of the blocks?  count may be 0, list then NULL. */
bool cidr_any_contains(
    const struct cidr *list, size_t count, const struct ip_address *address);
