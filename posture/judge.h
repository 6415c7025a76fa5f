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
    /* Of rows on paths, while they judge one. */
    const struct fact_directory *walk;
};

typedef void judge_fn(const struct judgement *j);

judge_fn judge_config;
judge_fn judge_root;
judge_fn judge_capabilities;
judge_fn judge_cert_cache;
judge_fn judge_plaintext;
judge_fn judge_listeners;
judge_fn judge_single_instance;

judge_fn judge_no_way_back;
judge_fn judge_loader_environment;
judge_fn judge_traced;
judge_fn judge_descriptor_limit;
judge_fn judge_clock;
judge_fn judge_entropy;
judge_fn judge_personality;
judge_fn judge_host_namespaces;
judge_fn judge_privileged_group;
judge_fn judge_confinement;
judge_fn judge_core_dumps;

judge_fn judge_executable;
judge_fn judge_inherited_descriptors;
judge_fn judge_key_files;

judge_fn judge_runtime_socket;
judge_fn judge_privileged_container;
judge_fn judge_root_filesystem;
judge_fn judge_memory_limit;

/* Add a finding that holds. */
void judge_pass(const struct judgement *j, const char *observed);
void judge_not_applicable(const struct judgement *j, const char *observed);
/* Add that the row's rule does not hold; its own fix. */
void judge_fail(const struct judgement *j, const char *object,
    const char *observed, const char *reason);
/* Add that two sources of a fact disagree, which is a failure of its own. */
void judge_contradiction(const struct judgement *j, const char *observed);
/* Add that a fact could not be read: with that errno, in those words. */
void judge_unknown(const struct judgement *j, int error, const char *observed);
