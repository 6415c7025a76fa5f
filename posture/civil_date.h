/* civil_date: days of the proleptic Gregorian calendar.  Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    CIVIL_DATE_SECONDS = 86400, /* of a day */
    CIVIL_DATE_LAST = 2932896,  /* 9999-12-31 */
    CIVIL_DATE_TEXT = 11,       /* bytes, with the NUL */
};

/* The day as YYYY-MM-DD; days is at most CIVIL_DATE_LAST. */
NONNULL void civil_date_format(uint32_t days, char ret[CIVIL_DATE_TEXT]);

/* Days since 1970-01-01 of a day as YYYY-MM-DD (RFC 3339 full-date), from the
 * year 1970 on; false if it is none. */
MUST_CHECK NONNULL bool civil_date_parse(struct span in, uint32_t *ret_days);
