/* seal_part: how the parts of a seal are made; the inside of seal.c. */
#pragma once

#include "posture/seal.h"

/* The best Landlock ABI of this kernel, 0 if there is none. */
int seal_landlock_abi(void);

/* One ruleset for both parts.  0, or a negative errno. */
NONNULL int seal_landlock(const struct seal_plan *plan, int abi);

/* Load the profile's filter.  0, or a negative errno; -ENOTSUP: this build has
 * none. */
MUST_CHECK NONNULL int seal_filter(const struct seal_plan *plan);

/* How many threads this process has; 0: that cannot be told. */
unsigned seal_thread_count(void);

/* Negative probes: does the kernel refuse what it must? */
NONNULL bool seal_probe_files(const struct seal_plan *plan);
bool seal_probe_tcp_bind(void);
NONNULL bool seal_probe_filter(const struct seal_plan *plan);
