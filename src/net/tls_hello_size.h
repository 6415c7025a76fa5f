/*
 * tls_hello_size: how long a ClientHello says that it is, from the bytes of a
 * connection's first records (RFC 8446 sections 4 and 5.1), before anybody
 * makes room for it.
 *
 * Pure; takes any bytes in any pieces.  Records other than plain handshake
 * records are skipped: who speaks something else is OpenSSL's to judge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    TLS_RECORD_HEADER_LEN = 5,
    TLS_MESSAGE_HEADER_LEN = 4,
};

/* Where in records and messages the bytes stand; zeroed: at the start. */
struct tls_hello_size {
    uint32_t message_left; /* bytes of this message's body to come */
    uint32_t largest;      /* what the longest message so far says, at most
                              0xffffff; what none has said yet: 0 */
    uint16_t record_left;  /* bytes of this record's payload to come */
    uint8_t record_have;
    uint8_t message_have;
    uint8_t record[TLS_RECORD_HEADER_LEN];
    uint8_t message[TLS_MESSAGE_HEADER_LEN];
};

/* The next bytes of the connection. */
NONNULL void tls_hello_size_feed(
    struct tls_hello_size *at, const uint8_t *bytes, size_t len);
