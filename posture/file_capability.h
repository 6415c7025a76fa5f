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

/* The permitted and inheritable capabilities together, as bits of
 * linux/capability.h.  False: no version that is known, or cut. */
NONNULL bool file_capability_parse(struct span value, uint64_t *ret);
