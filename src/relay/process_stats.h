/*
 * process_stats: CPU time, memory and descriptors of this process, as
 * Prometheus's process collector names them.
 *
 * What must be opened is opened once, before the seal; reading then makes
 * pread64, fstat, getdents64 and lseek (kernels before 6.2), prlimit64 and
 * clock_gettime only.  See proc(5).
 */
#pragma once

#include <dirent.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

#define PROCESS_STAT_UNKNOWN UINT64_MAX

enum process_stat {
    PROCESS_CPU_US,
    PROCESS_RESIDENT_BYTES,
    PROCESS_VIRTUAL_BYTES,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,  /* RLIM_INFINITY counts as unknown */
    PROCESS_START_MS, /* since the epoch */
    PROCESS_STAT_COUNT
};

struct process_stats {
    uint64_t values[PROCESS_STAT_COUNT]; /* or PROCESS_STAT_UNKNOWN */
};

/* Descriptors kept for reading; not usable until opened. */
struct process_stats_source {
    int stat_fd;       /* /proc/self/stat; -1: none */
    DIR *fds;          /* /proc/self/fd; NULL: none */
    uint64_t start_ms; /* since the epoch; PROCESS_STAT_UNKNOWN */
    uint64_t page_size;
};

/* Never fails: what cannot be opened is unknown in every reading. */
NONNULL void process_stats_open(struct process_stats_source *ret);
NONNULL void process_stats_close(struct process_stats_source *source);

/* One thread at a time. */
NONNULL void process_stats_read(
    const struct process_stats_source *source, struct process_stats *ret);

/* ---- the parsers, pure ---- */

struct process_stat_line {
    uint64_t start_ticks; /* since the boot of the machine */
    uint64_t virtual_bytes;
    uint64_t resident_pages;
};

/* Of /proc/PID/stat; false: not such a line. */
MUST_CHECK NONNULL bool process_stats_parse_stat(
    struct span text, struct process_stat_line *ret);

/* The line `btime N` of /proc/stat: seconds since the epoch. */
MUST_CHECK NONNULL bool process_stats_parse_boot_time(
    struct span text, uint64_t *ret);
