/* clock_ns: the monotonic clock of the benchmark's programs, nanoseconds. */
#pragma once

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_SECOND 1000000000U

static inline uint64_t clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}
