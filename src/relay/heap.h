/*
 * heap: gives memory back that waves of TLS handshakes leave behind.
 *
 * A handshake needs some 60 KB for a moment, among what stays of it; what it
 * frees lies in holes that malloc keeps.  Once a wave is over, the pages of
 * these holes go back to the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* All zero is the beginning. */
struct heap_watch {
    uint64_t seen;    /* handshakes so far, a second ago */
    uint64_t trimmed; /* the same, when memory was given back last */
    unsigned waited;  /* seconds since there is something to give back */
};

/* Once a second, with the count of handshakes so far: is it time? */
MUST_CHECK NONNULL bool heap_is_due(struct heap_watch *w, uint64_t handshakes);

/* Give back; takes about a millisecond per 40 MB. */
void heap_trim(void);
