#include "posture/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "posture/civil_date.h"
#include "posture/invariants.h"

/* A malformed signal can never weaken the check: it counts as production. */
static enum posture_mode find_mode(
    const struct posture_policy *policy, const struct posture_facts *facts)
{
    return facts->mode_value == NULL ? policy->mode : POSTURE_MODE_PRODUCTION;
}

void check_judge(const struct posture_policy *policy,
    const struct posture_facts *facts, struct posture_report *report)
{
    report->mode = find_mode(policy, facts);
    report->platform = facts->platform;
    report->catalogue = policy->catalogue;
    report->waivers = policy->waivers;
    report->waiver_count = policy->waiver_count;
    report->today = (uint32_t)(facts->now / CIVIL_DATE_SECONDS);
    if (!facts->linux_facts) {
        (void)text_format(report->notice, sizeof(report->notice),
            "running on %s, skipping linux-only checks", facts->system);
    }
    for (size_t i = 0; i < invariants_count(); i++) {
        const struct invariant *row = invariants_at(i);

        const struct judgement j = {
            .facts = facts,
            .policy = policy,
            .row = &row->about,
            .report = report,
        };

        if ((row->about.phases >> report->phase & 1) == 0)
            continue;
        if (row->about.linux_only && !facts->linux_facts) {
            judge_not_applicable(&j, "skipped: only Linux has it");
        } else {
            row->judge(&j);
        }
    }
}

int posture_check(const struct posture_policy *policy, enum posture_phase phase,
    unsigned flags, struct posture_report **ret_report)
{
    struct posture_facts *facts = NULL;
    struct posture_report *report = calloc(1, sizeof(*report));
    bool failed = facts_new(policy, &facts) < 0 || report == NULL;

    if (!failed) {
        report->phase = phase;
        report->flags = flags;
        facts_collect(policy, phase, facts);
        check_judge(policy, facts, report);
        report->waivers = NULL; /* the policy may go before the report */
        report->waiver_count = 0;
        failed = report->no_memory;
    }
    facts_free(facts);
    if (failed) {
        posture_report_free(report);
        return -ENOMEM;
    }
    *ret_report = report;
    return 0;
}
