/*
 * capacity: how many threads and connections are right where this process
 * runs, when no flag says it; and why, in a line for the operator.
 *
 * The judgement is pure; capacity_read() alone looks at the system.  What
 * cannot be read counts as no limit.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

enum {
    /* What a connection is taken to cost: our state, the kernel's socket, and
     * its share of frames under way.  Half of the memory is for that, the
     * other half for what is queued (the budgets in limits.h), and for all
     * that is not a connection. */
    CAPACITY_CONNECTION_BYTES = 16384,
    /* the same with TLS, whose idle state is 14 KB measured */
    CAPACITY_TLS_CONNECTION_BYTES = 32768,
    /* more than this takes an operator who says so */
    CAPACITY_CONNECTIONS_MAX = 1048576,
    CAPACITY_REASON_MAX = 192, /* bytes, with the NUL */
};

#define CAPACITY_NO_LIMIT UINT64_MAX

struct capacity_facts {
    uint64_t cpus_affine;   /* CPUs that we may run on */
    uint64_t cpus_quota;    /* that the cgroups' quota keeps busy, rounded up */
    uint64_t descriptors;   /* the hard limit */
    uint64_t memory_cgroup; /* bytes, the least limit up to the root */
    uint64_t memory_total;  /* bytes of RAM */
};

struct capacity {
    uint64_t value;                   /* 1 or more */
    char reason[CAPACITY_REASON_MAX]; /* "2: 8 CPUs by affinity, ..." */
};

NONNULL struct capacity capacity_threads(const struct capacity_facts *facts);

/* spare: descriptors that are not connections; each: bytes of one. */
NONNULL struct capacity capacity_connections(
    const struct capacity_facts *facts, uint64_t spare, uint64_t each);

/* proc is "/proc/self", or a directory that looks like it: of it come the
 * groups and where their files are mounted.  The rest is asked of the
 * kernel.  Blocks for a few small reads; for the start only. */
NONNULL void capacity_read(const char *proc, struct capacity_facts *ret);
