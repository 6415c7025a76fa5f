/*
 * ws_message: from frames to messages, RFC 6455 sections 5.4, 5.5 and 7.4.
 *
 * Pure functions over a small state that the caller owns; payload bytes are
 * the caller's business.
 */
#pragma once

#include "wire/ws_frame.h"

/* The message in progress; all zero between messages. */
struct ws_message {
    uint64_t len; /* payload bytes announced so far */
    enum ws_opcode
        opcode; /* WS_TEXT or WS_BINARY; WS_CONT when there is none */
};

/*
 * Take the header of the next data frame (WS_CONT, WS_TEXT, WS_BINARY; never
 * a control frame) into the message.  WS_OK, WS_BAD_SEQUENCE, or WS_TOO_BIG
 * when the message would exceed message_max bytes; m changes on WS_OK only.
 * The message is complete when a header with fin was taken: the caller then
 * resets it with ws_message_end().
 */
MUST_CHECK NONNULL enum ws_status ws_message_take(
    struct ws_message *m, const struct ws_header *header, uint64_t message_max);

NONNULL void ws_message_end(struct ws_message *m);

enum { WS_CLOSE_NO_STATUS = 1005 }; /* RFC 6455 section 7.4.1 */

struct ws_close {
    struct span reason; /* points into the payload; valid UTF-8 */
    uint16_t code;      /* WS_CLOSE_NO_STATUS when the payload was empty */
};

/*
 * Decode the unmasked payload of a close frame.  WS_OK, WS_BAD_CLOSE (one
 * byte, or a code that may not be sent) or WS_BAD_UTF8.
 */
MUST_CHECK NONNULL enum ws_status ws_close_decode(
    struct span payload, struct ws_close *ret);

/*
 * The whole close frame, header included, as a server sends it; code
 * WS_CLOSE_NO_STATUS gives an empty payload.  The reason is cut at a
 * character boundary so that the frame fits.  Returns bytes written.
 */
enum { WS_CLOSE_FRAME_MAX = 2 + WS_CONTROL_MAX };
NONNULL size_t ws_close_encode(
    uint8_t ret[WS_CLOSE_FRAME_MAX], uint16_t code, struct span reason);

/* May this code stand in a close frame?  1000-1003, 1007-1014, 3000-4999. */
bool ws_close_may_send(unsigned code);
