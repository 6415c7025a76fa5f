/*
 * mountinfo: a line of /proc/self/mountinfo, see proc_pid_mountinfo(5).
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"

/* Is this the line of a mount of that device (st_dev), "0:41"?  False if the
 * line is malformed. */
NONNULL bool mountinfo_is_of(struct span line, const char *device);

/* Has the file system of that line the option, whatever its value? */
NONNULL bool mountinfo_has_option(struct span line, const char *option);
