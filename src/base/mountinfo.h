/*
 * mountinfo: lines of /proc/self/mountinfo, see proc_pid_mountinfo(5).
 *
 * Pure.  Paths are as the kernel writes them: space, tab, newline and
 * backslash as three octal digits behind a backslash.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

struct mountinfo {
    struct span device;  /* st_dev, "0:41" */
    struct span root;    /* what of the file system is mounted */
    struct span point;   /* where */
    struct span options; /* of the mount */
    struct span type;    /* of the file system */
    struct span super;   /* its own options */
};

/* The parts of one line; false if it is malformed. */
NONNULL bool mountinfo_parse(struct span line, struct mountinfo *ret);

/* Has the file system the option, whatever its value? */
NONNULL bool mountinfo_has_option(
    const struct mountinfo *mount, const char *option);

/* A path as it is, NUL-terminated; false if it does not fit. */
NONNULL bool mountinfo_unescape(struct span path, char *ret, size_t cap);
