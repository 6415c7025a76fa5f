/*
 * file_capability: the extended attribute security.capability of a file, see
 * capabilities(7), "File capability extended attribute versioning".
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* Bits of linux/capability.h. */
struct file_capability {
    uint64_t set;    /* permitted and inheritable together */
    uint64_t needed; /* what exec must give in full, or fail with EPERM */
};

/* False: no version that is known, or cut. */
NONNULL bool file_capability_parse(
    struct span value, struct file_capability *ret);
