/*
 * proxy_header: the header by which a proxy in front tells the client's
 * address, PROXY protocol version 2 (haproxy, doc/proxy-protocol.txt, 2.2).
 *
 * Only what a TCP proxy sends for a connection that it forwards is accepted:
 * command PROXY over TCP with IPv4 or IPv6.  Version 1, LOCAL, UNSPEC, UDP
 * and UNIX are refused.  Pure, and each byte is judged as it arrives, so a
 * peer that speaks something else is refused at its first byte.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum {
    PROXY_FIXED_LEN = 16,  /* bytes before the addresses */
    PROXY_BODY_MAX = 4096, /* addresses and TLVs: proxies send some hundred
                              bytes, a client certificate's names included */
};

/* name, text */
#define PROXY_STATUS_LIST(X)                                                   \
    X(PROXY_OK, "complete header")                                             \
    X(PROXY_MORE, "need more bytes")                                           \
    X(PROXY_ABSENT, "no PROXY header")                                         \
    X(PROXY_TEXT, "PROXY header of version 1")                                 \
    X(PROXY_BAD_VERSION, "unknown version of the PROXY header")                \
    X(PROXY_LOCAL, "PROXY header with command LOCAL")                          \
    X(PROXY_BAD_COMMAND, "unknown command in the PROXY header")                \
    X(PROXY_BAD_FAMILY, "PROXY header is not for TCP over IPv4 or IPv6")       \
    X(PROXY_SHORT, "PROXY header too short for its addresses")                 \
    X(PROXY_LONG, "PROXY header exceeds the limit")

enum proxy_status {
#define X(name, text) name,
    PROXY_STATUS_LIST(X)
#undef X
};

struct proxy_endpoint {
    uint8_t addr[16]; /* network order; the first addr_len bytes */
    uint16_t port;    /* host order */
};

struct proxy_header {
    struct proxy_endpoint source;      /* the client */
    struct proxy_endpoint destination; /* what the client connected to */
    size_t addr_len;                   /* 4 or 16 */
    size_t header_len;                 /* bytes consumed, TLVs included */
};

/*
 * Parse the header at the start of in.  PROXY_MORE while it is incomplete and
 * nothing is wrong with it yet; TLVs are skipped unread.  Anything but
 * PROXY_OK and PROXY_MORE is a refusal.  *ret is written on PROXY_OK only.
 */
MUST_CHECK NONNULL enum proxy_status proxy_header_parse(
    struct span in, struct proxy_header *ret);

/* The refusal's reason, for a log line. */
const char *proxy_header_text(enum proxy_status status);
