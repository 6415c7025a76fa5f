/*
 * usage: what processes have cost, by the kernel's own accounting.
 *
 * CPU time is that of the process clock: all of its threads, also those that
 * have ended, to the nanosecond (clock_getcpuclockid(3)).  Memory is Pss of
 * /proc/PID/smaps_rollup: shared pages count by their share.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct usage {
    uint64_t cpu_ns;
    uint64_t pss_bytes;
};

/* The sum over the processes: 0, or -errno if one of them is gone. */
MUST_CHECK NONNULL int usage_read(
    const pid_t *pids, size_t count, struct usage *ret);
