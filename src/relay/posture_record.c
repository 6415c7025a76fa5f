#include "relay/posture_record.h"

#include <assert.h>
#include <string.h>

/* The order in which verdicts of one invariant count. */
static const unsigned gravity[] = {
    [POSTURE_NOT_APPLICABLE] = 0,
    [POSTURE_PASS] = 1,
    [POSTURE_ENFORCED] = 2,
    [POSTURE_WAIVED] = 3,
    [POSTURE_UNKNOWN] = 4,
    [POSTURE_FAIL] = 5,
};

static bool same_id(
    const struct posture_finding *a, const struct posture_finding *b)
{
    return strcmp(a->id, b->id) == 0;
}

static bool judges(
    const struct posture_report *report, const struct posture_finding *finding)
{
    for (size_t i = 0; i < posture_report_count(report); i++) {
        if (same_id(posture_report_finding(report, i), finding))
            return true;
    }
    return false;
}

/* Forget what the report judges again. */
static void forget(
    struct posture_record *record, const struct posture_report *report)
{
    size_t kept = 0;

    for (size_t i = 0; i < record->count; i++) {
        if (!judges(report, record->findings[i]))
            record->findings[kept++] = record->findings[i];
    }
    record->count = kept;
}

static void keep(
    struct posture_record *record, const struct posture_finding *finding)
{
    size_t same = 0;

    for (size_t i = 0; i < record->count; i++)
        same += same_id(record->findings[i], finding);
    if (same < POSTURE_RECORD_EACH && record->count < POSTURE_RECORD_FINDINGS)
        record->findings[record->count++] = finding;
}

void posture_record_add(
    struct posture_record *record, struct posture_report *report)
{
    assert(record->report_count < POSTURE_RECORD_REPORTS);
    record->reports[record->report_count++] = report;
    forget(record, report);
    for (size_t i = 0; i < posture_report_count(report); i++)
        keep(record, posture_report_finding(report, i));
}

void posture_record_done(struct posture_record *record)
{
    for (size_t i = 0; i < record->report_count; i++)
        posture_report_free(record->reports[i]);
    *record = (struct posture_record){.count = 0};
}

/* The gravest finding of the same invariant. */
static const struct posture_finding *gravest(
    const struct posture_record *record, size_t at)
{
    const struct posture_finding *worst = record->findings[at];

    for (size_t i = at + 1; i < record->count; i++) {
        const struct posture_finding *other = record->findings[i];

        if (same_id(worst, other) &&
            gravity[other->verdict] > gravity[worst->verdict])
            worst = other;
    }
    return worst;
}

static bool is_first(const struct posture_record *record, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (same_id(record->findings[i], record->findings[at]))
            return false;
    }
    return true;
}

size_t posture_record_invariants(const struct posture_record *record,
    struct metrics_invariant ret[POSTURE_RECORD_FINDINGS])
{
    size_t count = 0;

    for (size_t i = 0; i < record->count; i++) {
        if (!is_first(record, i))
            continue;
        ret[count++] = (struct metrics_invariant){
            .id = record->findings[i]->id,
            .verdict = posture_verdict_name(gravest(record, i)->verdict),
        };
    }
    return count;
}
