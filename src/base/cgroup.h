/*
 * cgroup: the texts of cgroups(7) that tell which limits hold.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* Of /proc/self/cgroup: the path in the hierarchy of that controller of
 * version 1, or with NULL in the one of version 2.  False if there is none. */
bool cgroup_path(struct span file, const char *controller, struct span *ret);

/* Of memory.max or memory.limit_in_bytes: the bytes, UINT64_MAX for none.
 * False if it is neither. */
NONNULL bool cgroup_limit(struct span file, uint64_t *ret);

/*
 * CPUs that may be busy at once, rounded up, UINT64_MAX for no limit: of
 * cpu.max of version 2, or of cpu.cfs_quota_us and cpu.cfs_period_us of
 * version 1.  False if it is something else.
 */
NONNULL bool cgroup_cpus(struct span file, uint64_t *ret);
NONNULL bool cgroup_cpus_v1(
    struct span quota, struct span period, uint64_t *ret);
