/* civil_date: days of the proleptic Gregorian calendar.  Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* Days since 1970-01-01 of a day as YYYY-MM-DD (RFC 3339 full-date), from the
 * year 1970 on; false if it is none. */
MUST_CHECK NONNULL bool civil_date_parse(struct span in, uint32_t *ret_days);
