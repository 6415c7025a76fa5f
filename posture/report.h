/* report: the findings of one check; the public part is posture.h. */
#pragma once

#include "base/attr.h"
#include "posture/posture.h"

enum { REPORT_FINDINGS_MAX = 256, REPORT_WAIVER_DAYS_MAX = 90 };

struct policy_waiver;

struct posture_report {
    enum posture_mode mode;
    enum posture_phase phase;
    enum posture_platform platform;
    unsigned flags;
    unsigned catalogue;               /* the policy's */
    struct posture_finding *findings; /* each one's strings in one block */
    char **blocks;
    size_t count;
    size_t cap;
    bool stopped; /* POSTURE_STOP_AT_FIRST, and it came */
    bool no_memory;
    bool contradicted; /* two sources of a fact disagree */
    char notice[96];
    const struct policy_waiver *waivers; /* the policy's, while judging */
    size_t waiver_count;
    uint32_t today; /* days since 1970 */
};

/* What a judge says; the row adds the rest.  NULL texts are "". */
struct report_draft {
    enum posture_verdict verdict;
    int error_number;
    bool warn_only; /* never refuses, whatever the mode */
    const char *object;
    const char *observed;
    const char *expected;
    const char *reason;
    const char *fix;   /* NULL: the row's, for the platform; in it ... */
    const char *slot;  /* ... this word stands for ... */
    const char *value; /* ... that one; both may be NULL */
};

NONNULL void report_add(struct posture_report *report,
    const struct posture_invariant *row, const struct report_draft *draft);
