/*
 * decimal: whole numbers of a small unit, written in a large one.
 *
 * 1500 with 3 decimals is 1.5: milliseconds as seconds, without the rounding
 * of floating point and without a locale.
 */
#pragma once

#include <stdint.h>

#include "base/text.h"

enum { DECIMAL_PLACES_MAX = 9 };

/* Append value / 10^places, without trailing zeros. */
NONNULL void decimal_add(struct text *t, uint64_t value, unsigned places);
