/* clock: the two times, one for waiting and one for certificates. */
#pragma once

#include <stdint.h>

/* Milliseconds that only go forward. */
uint64_t clock_monotonic_ms(void);

/* Seconds since 1970; may be set at any moment. */
int64_t clock_unix_s(void);
