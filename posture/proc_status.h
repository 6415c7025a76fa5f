/*
 * proc_status: the fields of /proc/self/status that the check needs, see
 * proc_pid_status(5).
 *
 * Pure.  A field that is absent or malformed is not known; it is never 0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum proc_status_id {
    PROC_STATUS_REAL,
    PROC_STATUS_EFFECTIVE,
    PROC_STATUS_SAVED,
    PROC_STATUS_FILESYSTEM,
    PROC_STATUS_IDS
};

enum proc_status_set {
    PROC_STATUS_CAP_INHERITABLE,
    PROC_STATUS_CAP_PERMITTED,
    PROC_STATUS_CAP_EFFECTIVE,
    PROC_STATUS_CAP_BOUNDING,
    PROC_STATUS_CAP_AMBIENT,
    PROC_STATUS_SETS
};

struct proc_status {
    uint64_t cap[PROC_STATUS_SETS];
    uint64_t no_new_privs;
    uint64_t seccomp;
    uint64_t tracer_pid;
    int error; /* errno of reading the file, or 0; the parser leaves it 0 */
    uint32_t uid[PROC_STATUS_IDS];
    uint32_t gid[PROC_STATUS_IDS];
    bool uid_known;
    bool gid_known;
    bool cap_known[PROC_STATUS_SETS];
    bool no_new_privs_known;
    bool seccomp_known;
    bool tracer_known;
};

/* Reads any bytes; of a field that stands twice the first counts, and a last
 * line without its end does not. */
NONNULL void proc_status_parse(struct span in, struct proc_status *ret);
