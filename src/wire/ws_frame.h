/*
 * ws_frame: the WebSocket frame header, RFC 6455 section 5.2.
 *
 * Pure functions: no allocation, no I/O, no state kept between calls.  The
 * decoder reads at most WS_HEADER_MAX bytes of its input and accepts only
 * what the RFC allows a client to send to a server.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    WS_HEADER_MAX = 14,        /* bytes: 2 + 8 (length) + 4 (mask) */
    WS_CONTROL_MAX = 125,      /* bytes of payload, RFC 6455 section 5.5 */
    WS_MASK_LEN = 4,           /* bytes */
    WS_SERVER_HEADER_MAX = 10, /* bytes of a header that we send: no mask */
};

enum ws_opcode {
    WS_CONT = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA,
};

/* name, close code to send, text for the log */
#define WS_STATUS_LIST(X)                                                      \
    X(WS_OK, 0, "complete header")                                             \
    X(WS_MORE, 0, "need more bytes")                                           \
    X(WS_BAD_RESERVED, 1002, "reserved bit set")                               \
    X(WS_BAD_OPCODE, 1002, "unknown opcode")                                   \
    X(WS_BAD_CONTROL, 1002, "control frame too long or fragmented")            \
    X(WS_BAD_MASK, 1002, "client frame is not masked")                         \
    X(WS_BAD_LENGTH, 1002, "length is not in its shortest form")               \
    X(WS_BAD_SEQUENCE, 1002, "fragments out of order")                         \
    X(WS_BAD_CLOSE, 1002, "malformed close frame")                             \
    X(WS_BAD_UTF8, 1007, "text is not UTF-8")                                  \
    X(WS_TOO_BIG, 1009, "message exceeds the limit")

enum ws_status {
#define X(name, code, text) name,
    WS_STATUS_LIST(X)
#undef X
};

struct ws_header {
    uint64_t payload_len; /* bytes, at most the caller's limit */
    size_t header_len;    /* bytes consumed, 2..WS_HEADER_MAX */
    enum ws_opcode opcode;
    bool fin;
    uint8_t mask[WS_MASK_LEN];
};

/*
 * Decode the header at the start of in.  Frames whose payload exceeds
 * payload_max bytes are refused before any payload is read.  *ret is written
 * on WS_OK only.
 */
MUST_CHECK NONNULL enum ws_status ws_frame_decode(
    struct span in, uint64_t payload_max, struct ws_header *ret);

/*
 * XOR len bytes at data with mask, starting offset bytes into the payload.
 * Its own inverse.
 */
NONNULL void ws_frame_unmask(uint8_t *data, size_t len,
    const uint8_t mask[WS_MASK_LEN], uint64_t offset);

/*
 * Encode the header of an unmasked, final frame, as a server sends it.
 * Returns its length in bytes, 2 to WS_SERVER_HEADER_MAX.
 */
NONNULL size_t ws_frame_encode(uint8_t ret[WS_SERVER_HEADER_MAX],
    enum ws_opcode opcode, uint64_t payload_len);

const char *ws_frame_text(enum ws_status status);
uint16_t ws_frame_close_code(enum ws_status status);
