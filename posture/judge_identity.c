#include "posture/facts_files.h"
#include "posture/judge.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "posture/capability.h"

/* An answer that the other source could not confirm says so. */
static void add_unconfirmed(const struct judgement *j, struct text *t)
{
    if (j->facts->status_error != 0) {
        text_addf(t, "; /proc/thread-self/status could not be read: %s",
            facts_error_text(j->facts->status_error));
    }
}

static void add_id(struct text *t, const char *name, uint32_t id, int error)
{
    if (error != 0) {
        text_addf(t, " %s=unknown", name);
    } else {
        text_addf(t, " %s=%" PRIu32, name, id);
    }
}

static void add_ids(const struct judgement *j, struct text *t)
{
    const struct fact_ids *ids = &j->facts->ids;

    text_add_str(t, "uid");
    add_id(t, "real", ids->real, 0);
    add_id(t, "effective", ids->effective, 0);
    add_id(t, "saved", ids->saved, ids->saved_error);
    add_id(t, "filesystem", ids->filesystem, ids->filesystem_error);
    add_unconfirmed(j, t);
}

static bool has_root(const struct fact_ids *ids)
{
    return ids->real == 0 || ids->effective == 0 ||
           (ids->saved_error == 0 && ids->saved == 0) ||
           (ids->filesystem_error == 0 && ids->filesystem == 0);
}

/* Other systems tell neither the saved id nor have one for the file system:
 * that part of the rule is skipped there, as the report's notice says. */
static int unread_id(const struct judgement *j)
{
    const struct fact_ids *ids = &j->facts->ids;

    if (!j->facts->linux_facts)
        return 0;
    return ids->saved_error != 0 ? ids->saved_error : ids->filesystem_error;
}

static void fail_root(const struct judgement *j, struct text *observed)
{
    const struct fact_user_namespace *ns = &j->facts->user_namespace;

    if (ns->known && ns->root_is_mapped) {
        text_addf(observed,
            "; root of a user namespace only: 0 maps to %" PRIu32 " outside",
            ns->root_outside);
    }
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .observed = observed->ptr,
            .expected = "no user id is 0",
            .reason = j->facts->ids.effective == 0
                          ? "the process runs as root"
                          : "the process can become root again",
        });
}

void judge_root(const struct judgement *j)
{
    const struct fact_ids *ids = &j->facts->ids;
    char buf[384];
    struct text observed = text_over(buf, sizeof(buf));

    if (!ids->known) {
        judge_unknown(j, ids->error, "user ids");
        return;
    }
    add_ids(j, &observed);
    if (ids->contradicted)
        judge_contradiction(j, observed.ptr);
    if (has_root(ids)) {
        fail_root(j, &observed);
    } else if (unread_id(j) != 0) {
        judge_unknown(j, unread_id(j), observed.ptr);
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

/* What is held in a user namespace counts in it alone. */
static void add_namespace(const struct judgement *j, struct text *t)
{
    const struct fact_user_namespace *ns = &j->facts->user_namespace;

    if (ns->known && ns->some_unmapped)
        text_add_str(t, "; of a user namespace only");
}

static void fail_capabilities(
    const struct judgement *j, const char *observed, bool harmless)
{
    char buf[512];
    struct text expected = text_over(buf, sizeof(buf));

    text_add_str(&expected, "at most [");
    capability_add_set(&expected, j->policy->capabilities);
    text_add_str(&expected, "]");
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .warn_only = harmless,
            .observed = observed,
            .expected = expected.ptr,
            .reason =
                harmless
                    ? "inheritable capabilities matter only with file "
                      "capabilities"
                    : "capabilities are held that the allowlist does not have",
        });
}

/* Bytes that name the surplus of three sets. */
enum { SETS_TEXT_MAX = 3000 };

/* True if there are none. */
static bool judge_held(const struct judgement *j, char buf[SETS_TEXT_MAX])
{
    const struct fact_capabilities *caps = &j->facts->capabilities;
    uint64_t surplus = ~j->policy->capabilities;
    struct text observed = text_over(buf, SETS_TEXT_MAX);

    add_surplus(
        &observed, (struct surplus){"effective", caps->effective & surplus});
    add_surplus(&observed, (struct surplus){"permitted",
                               caps->permitted & surplus & ~caps->effective});
    if (caps->ambient_error == 0) {
        add_surplus(
            &observed, (struct surplus){"ambient", caps->ambient & surplus});
    }
    if (observed.len == 0)
        return true;
    add_namespace(j, &observed);
    fail_capabilities(j, observed.ptr, false);
    return false;
}

/* A finding of its own: it only warns, whatever else is held. */
static bool judge_inheritable(
    const struct judgement *j, char buf[SETS_TEXT_MAX])
{
    uint64_t bits = j->facts->capabilities.inheritable;
    struct text observed = text_over(buf, SETS_TEXT_MAX);

    add_surplus(&observed,
        (struct surplus){"inheritable", bits & ~j->policy->capabilities});
    if (observed.len > 0)
        fail_capabilities(j, observed.ptr, true);
    return observed.len == 0;
}

void judge_capabilities(const struct judgement *j)
{
    const struct fact_capabilities *caps = &j->facts->capabilities;
    char buf[SETS_TEXT_MAX];
    bool fine = true;

    if (!j->facts->linux_facts) {
        judge_not_applicable(j, "capabilities are Linux's");
        return;
    }
    if (!caps->known) {
        judge_unknown(j, caps->error, "capability sets");
        return;
    }
    if (caps->contradicted) {
        judge_contradiction(j, "capability sets");
        fine = false;
    }
    if (caps->ambient_error != 0) {
        judge_unknown(j, caps->ambient_error, "the ambient set");
        fine = false;
    }
    fine &= judge_held(j, buf);
    fine &= judge_inheritable(j, buf);
    if (fine) {
        struct text observed = text_over(buf, sizeof(buf));

        text_add_str(&observed, caps->effective == 0 ? "none" : "effective: ");
        capability_add_set(&observed, caps->effective);
        add_unconfirmed(j, &observed);
        judge_pass(j, observed.ptr);
    }
}
