/*
 * judge: the invariants' pure functions: facts and policy in, drafts into the
 * report.  No I/O, no globals, no logging.  Each adds at least one finding.
 */
#pragma once

#include "posture/facts.h"
#include "posture/report.h"

struct judgement {
    const struct posture_facts *facts;
    const struct posture_policy *policy;
    const struct posture_invariant *row;
    struct posture_report *report;
};

typedef void judge_fn(const struct judgement *j);

judge_fn judge_config;
judge_fn judge_root;
judge_fn judge_capabilities;
judge_fn judge_cert_cache;
judge_fn judge_plaintext;
judge_fn judge_listeners;
judge_fn judge_single_instance;

/* Add a finding that holds. */
void judge_pass(const struct judgement *j, const char *observed);
void judge_not_applicable(const struct judgement *j, const char *observed);
