/*
 * posture_record: what the posture checks of one boot found, kept for those
 * who ask later: /metrics and the status page.
 *
 * An invariant that a later phase judged again counts as it was judged last.
 * The record owns the reports.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "posture/posture.h"
#include "relay/metrics_render.h"

enum {
    POSTURE_RECORD_REPORTS = 4,    /* phases of a boot, and one more */
    POSTURE_RECORD_EACH = 4,       /* findings of one invariant */
    POSTURE_RECORD_FINDINGS = 128, /* there are about 25 invariants */
};

/* All zero is an empty one. */
struct posture_record {
    struct posture_report *reports[POSTURE_RECORD_REPORTS];
    size_t report_count;
    const struct posture_finding *findings[POSTURE_RECORD_FINDINGS];
    size_t count;
};

/* Take a report over.  Of one invariant the first POSTURE_RECORD_EACH findings
 * are kept; the log has had them all. */
NONNULL void posture_record_add(
    struct posture_record *record, struct posture_report *report);
NONNULL void posture_record_done(struct posture_record *record);

/* One entry an invariant, the gravest of its verdicts; how many. */
NONNULL size_t posture_record_invariants(const struct posture_record *record,
    struct metrics_invariant ret[POSTURE_RECORD_FINDINGS]);
