/*
 * frame: WebSocket frames from the client's side, RFC 6455 section 5.
 *
 * Written apart from src/wire on purpose: what measures a server and checks
 * its bytes shares no code with it.  Pure: no allocation, no I/O.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum { FRAME_HEADER_MOST = 14, FRAME_PAYLOAD_MOST = 524288 }; /* bytes */

enum frame_kind {
    FRAME_TEXT = 1,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
};

enum frame_mask { FRAME_PLAIN, FRAME_MASKED };

enum frame_status { FRAME_WHOLE, FRAME_PART, FRAME_BROKEN };

struct frame {
    uint8_t kind; /* an enum frame_kind, or one that nobody expects */
    struct span payload;
    size_t len; /* bytes, header included */
};

/*
 * Write the header of a final frame, FRAME_HEADER_MOST bytes at most; its
 * length.  The last four bytes of a masked one are the key.
 */
NONNULL size_t frame_write_header(uint8_t *out, enum frame_kind kind,
    size_t payload_len, enum frame_mask mask, uint32_t key);

/* XOR the payload with the key as it stands in the header. */
NONNULL void frame_apply_mask(uint8_t *payload, size_t len, uint32_t key);

/*
 * The frame at the start of in, as a server sends it: final, not masked, at
 * most FRAME_PAYLOAD_MOST bytes.  *ret is written on FRAME_WHOLE; on
 * FRAME_PART, *ret_need is how many bytes of in are known to be needed.
 */
MUST_CHECK NONNULL enum frame_status frame_read(
    struct span in, struct frame *ret, size_t *ret_need);
