/*
 * payload: the JSON value that travels, and its verification.
 *
 * Each names its pair and its place in that pair's order; the rest is base64
 * text, as real payloads are, that starts at another place of a common filler
 * for each message, so that bytes of another message are told apart.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum { PAYLOAD_LEAST = 46, PAYLOAD_MOST = 262000 }; /* bytes */

struct payload {
    size_t size; /* bytes of each value */
    uint8_t *filler;
};

/* 0, or -ENOMEM.  size is PAYLOAD_LEAST to PAYLOAD_MOST. */
MUST_CHECK NONNULL int payload_init(struct payload *p, size_t size);
NONNULL void payload_done(struct payload *p);

/* Write the value, p->size bytes, at out. */
NONNULL void payload_write(
    const struct payload *p, uint32_t pair, uint64_t sequence, uint8_t *out);

/*
 * Whether value is, byte for byte, what payload_write() writes for the pair
 * and the sequence that it names, which are written then.
 */
MUST_CHECK NONNULL bool payload_is_intact(const struct payload *p,
    struct span value, uint32_t *ret_pair, uint64_t *ret_sequence);
