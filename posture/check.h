/* check: facts and policy become a report.  Pure but for allocation. */
#pragma once

#include "posture/report.h"

struct posture_facts;

/* Judge every row of the phase, in table order.  The mode is decided here.
 * report is zeroed but for phase and flags. */
void check_judge(const struct posture_policy *policy,
    const struct posture_facts *facts, struct posture_report *report);
