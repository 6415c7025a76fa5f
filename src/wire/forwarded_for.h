/*
 * forwarded_for: who is behind the proxies, from X-Forwarded-For.
 *
 * Each proxy appends the address that it was reached from, so only what
 * stands right of an entry vouches for it.  All lines of the field are one
 * list, in their order (RFC 9110 section 5.3).  Pure.
 */
#pragma once

#include "base/cidr.h"
#include "wire/http_head.h"

/*
 * Walk the list from the right for as long as the hop that wrote the entry
 * is trusted, starting at the peer.  Returns the first address that is not
 * trusted; the left-most one if all are; and the peer itself if it is not
 * trusted or sent no list.
 *
 * Empty entries are passed over.  One that is no plain address ends the walk
 * at the hop that wrote it, whose address is returned: "unknown", a name, and
 * any address with a port or in brackets.  So a client whose proxy writes
 * such entries is accounted to that proxy, never to a text of its own choice.
 */
struct ip_address forwarded_for_client(const struct http_head *head,
    const struct ip_address *peer, const struct cidr *trusted,
    size_t trusted_count);

/*
 * The left-most entry of the first line, without blanks around it: what any
 * client may write unless a proxy replaces the field.  Empty if there is no
 * field, or nothing before its first comma.  It lives as long as the head.
 */
NONNULL struct span forwarded_for_first(const struct http_head *head);
