/*
 * rate: how fast one connection may send, in bytes a second.
 *
 * A bucket of bytes that may go into debt: what was read cannot be unread,
 * so it is taken after the fact, and reading rests until the debt is paid.
 * A message as large as the burst passes at once.  Integers only; what a pause
 * is rounded up by is kept while the bucket is not full.  Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "relay/limits.h"

enum {
    RATE_OFF = 0, /* bytes a second, the default */
    /* a second of it, but at least so many bytes: the largest message passes
     * without a pause, however it is framed */
    RATE_BURST_MIN = 2 * LIMIT_MESSAGE_BYTES,
};

#define RATE_MAX ((uint64_t)1 << 40) /* bytes a second, and burst */

struct rate_limit {
    uint64_t bytes_per_s; /* RATE_OFF, or 1 to RATE_MAX */
    uint64_t burst;       /* bytes at once after a rest, 0 to RATE_MAX */
};

/* A connection's bucket; zeroed, it is full. */
struct rate {
    uint64_t owed;    /* thousandths of a byte */
    uint64_t last_ms; /* when that was so */
};

/* The limit of so many bytes a second with the burst above. */
struct rate_limit rate_limit_of(uint64_t bytes_per_s);

/*
 * Take len bytes that arrived at now_ms, monotonic.  Returns for how many ms
 * to read nothing more, 0 to go on: the least after which rate_pause() is 0.
 */
MUST_CHECK NONNULL uint64_t rate_take(struct rate *rate,
    const struct rate_limit *limit, size_t len, uint64_t now_ms);

/* For how many ms from now_ms on to read nothing. */
NONNULL uint64_t rate_pause(
    const struct rate *rate, const struct rate_limit *limit, uint64_t now_ms);
