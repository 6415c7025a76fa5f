/* duration: lengths of time as Go's time.Duration writes them: 412.3ms, 1.5s,
 * 1m2.5s.  Whoever reads the log of the existing relay knows that form. */
#pragma once

#include <stdint.h>

#include "base/text.h"

/* Append so many nanoseconds. */
NONNULL void duration_add(struct text *t, uint64_t ns);
