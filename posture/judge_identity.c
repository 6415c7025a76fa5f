#include "posture/judge.h"

#include <inttypes.h>

#include "base/text.h"
#include "posture/capability.h"

static void unknown(const struct judgement *j, int error, const char *what)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = error,
            .observed = what,
            .expected = j->row->rule,
            .reason = "the fact could not be read",
        });
}

static void contradiction(const struct judgement *j, const char *observed)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .observed = observed,
            .expected = "/proc/self/status and the system calls agree",
            .reason = "/proc/self/status and the system calls disagree: one of "
                      "them does not tell the truth",
            .fix = "find out what fakes /proc or the system calls of this "
                   "process",
        });
}

void judge_root(const struct judgement *j)
{
    const struct fact_ids *ids = &j->facts->ids;
    const struct fact_user_namespace *ns = &j->facts->user_namespace;
    char buf[256];
    struct text observed = text_over(buf, sizeof(buf));
    bool is_root = ids->real == 0 || ids->effective == 0 || ids->saved == 0 ||
                   ids->filesystem == 0;

    if (!ids->known) {
        unknown(j, ids->error, "user ids");
        return;
    }
    text_addf(&observed,
        "uid real=%" PRIu32 " effective=%" PRIu32 " saved=%" PRIu32
        " filesystem=%" PRIu32,
        ids->real, ids->effective, ids->saved, ids->filesystem);
    if (is_root && ns->known && ns->root_is_mapped) {
        text_addf(&observed,
            "; root of a user namespace only: 0 maps to %" PRIu32 " outside",
            ns->root_outside);
    }
    if (ids->contradicted)
        contradiction(j, observed.ptr);
    if (is_root) {
        report_add(j->report, j->row,
            &(struct report_draft){
                .verdict = POSTURE_FAIL,
                .observed = observed.ptr,
                .expected = "no user id is 0",
                .reason = ids->effective == 0
                              ? "the process runs as root"
                              : "the process can become root again",
            });
    } else if (!ids->contradicted) {
        judge_pass(j, observed.ptr);
    }
}

struct surplus {
    const char *name;
    uint64_t bits;
};

static void add_surplus(struct text *t, struct surplus set)
{
    if (set.bits == 0)
        return;
    if (t->len > 0)
        text_add_str(t, "; ");
    text_addf(t, "%s: ", set.name);
    capability_add_set(t, set.bits);
}

static void fail_capabilities(const struct judgement *j,
    const struct text *observed, const struct text *expected, bool harmless)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .warn_only = harmless,
            .observed = observed->ptr,
            .expected = expected->ptr,
            .reason =
                harmless
                    ? "inheritable capabilities matter only with file "
                      "capabilities"
                    : "capabilities are held that the allowlist does not have",
        });
}

void judge_capabilities(const struct judgement *j)
{
    const struct fact_capabilities *caps = &j->facts->capabilities;
    uint64_t surplus = ~j->policy->capabilities;
    char observed_buf[3000];
    char expected_buf[512];
    struct text observed = text_over(observed_buf, sizeof(observed_buf));
    struct text expected = text_over(expected_buf, sizeof(expected_buf));

    if (!j->facts->linux_facts) {
        judge_not_applicable(j, "capabilities are Linux's");
        return;
    }
    if (!caps->known) {
        unknown(j, caps->error, "capability sets");
        return;
    }
    text_add_str(&expected, "at most [");
    capability_add_set(&expected, j->policy->capabilities);
    text_add_str(&expected, "]");
    add_surplus(
        &observed, (struct surplus){"effective", caps->effective & surplus});
    add_surplus(&observed, (struct surplus){"permitted",
                               caps->permitted & surplus & ~caps->effective});
    add_surplus(
        &observed, (struct surplus){"ambient", caps->ambient & surplus});
    if (caps->contradicted)
        contradiction(j, "capability sets");
    if (observed.len > 0) {
        fail_capabilities(j, &observed, &expected, false);
        return;
    }
    add_surplus(&observed,
        (struct surplus){"inheritable", caps->inheritable & surplus});
    if (observed.len > 0) {
        fail_capabilities(j, &observed, &expected, true);
        return;
    }
    text_add_str(&observed, caps->effective == 0 ? "none" : "effective: ");
    capability_add_set(&observed, caps->effective);
    if (!caps->contradicted)
        judge_pass(j, observed.ptr);
}
