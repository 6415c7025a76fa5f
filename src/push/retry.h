/*
 * retry: which answers are worth another try, and when.  Pure.
 *
 * A wake is for a person who waits: what cannot be sent within half a minute
 * is given up.  The waits double, and are spread so that those who failed
 * together do not come back together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    RETRY_COUNT_MAX = 3,    /* tries after the first */
    RETRY_WAIT_MS = 1000,   /* before the first of them, at least */
    RETRY_BOUND_MS = 30000, /* from the wish to the begin of the last */
};

struct retry {
    uint64_t began_ms; /* monotonic */
    unsigned count;    /* tries after the first, so far */
};

/* 429 and the server's own faults. */
bool retry_is_worth(long status);

/*
 * Try again?  Then *ret_at_ms is when: not before what the server asked for
 * (-1: nothing), and it counts as one more.  chance is random.
 */
MUST_CHECK NONNULL bool retry_plan(struct retry *r, uint64_t now_ms,
    int64_t retry_after_s, uint32_t chance, uint64_t *ret_at_ms);
