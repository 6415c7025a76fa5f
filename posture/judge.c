#include "posture/judge.h"

void judge_pass(const struct judgement *j, const char *observed)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_PASS,
            .observed = observed,
            .expected = j->row->rule,
        });
}

void judge_not_applicable(const struct judgement *j, const char *observed)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_NOT_APPLICABLE,
            .observed = observed,
        });
}

void judge_unknown(const struct judgement *j, int error, const char *observed)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = error,
            .observed = observed,
            .expected = j->row->rule,
            .reason = "the fact could not be read",
        });
}

void judge_contradiction(const struct judgement *j, const char *observed)
{
    j->report->contradicted = true;
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .observed = observed,
            .expected = "/proc/thread-self/status and the system calls agree",
            .reason = "/proc/thread-self/status and the system calls "
                      "disagree: one of them does not tell the truth",
            .fix = "find out what fakes /proc or the system calls of this "
                   "process",
        });
}

void judge_fail(const struct judgement *j, const char *object,
    const char *observed, const char *reason)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = object,
            .observed = observed,
            .expected = j->row->rule,
            .reason = reason,
        });
}
