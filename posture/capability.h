/*
 * capability: names of the bits of linux/capability.h, 0 to 40.
 *
 * Pure.  A bit without a name here is a number and still counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"

/* "CAP_SYS_ADMIN", or NULL where no name is known. */
const char *capability_name(unsigned bit);

/* The bit of a name, with or without CAP_, in any case; -1 if there is none. */
NONNULL int capability_bit(const char *name);

/* "CAP_SYS_ADMIN (bit 21), bit 41": every bit of the set. */
NONNULL void capability_add_set(struct text *t, uint64_t set);
