/*
 * cpu: what this processor has beyond the instructions that the build may use
 * anywhere.  Constant while the process runs; the compiler's start-up code
 * has asked before main().
 */
#pragma once

#include <stdbool.h>

static inline bool cpu_has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}
