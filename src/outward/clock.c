#include "outward/clock.h"

#include <time.h>

uint64_t clock_monotonic_ms(void)
{
    struct timespec ts = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t clock_unix_s(void)
{
    return time(NULL);
}
