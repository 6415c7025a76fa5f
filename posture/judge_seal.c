/* The rows that a declared seal satisfies. */
#include <inttypes.h>

#include "base/text.h"
#include "posture/capability.h"
#include "posture/judge.h"

static void enforced(const struct judgement *j, const char *observed)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_ENFORCED,
            .observed = observed,
            .expected = j->row->rule,
        });
}

static bool is_declared(const struct judgement *j, unsigned part)
{
    return (j->policy->seal & part) != 0;
}

/* What a declared seal satisfies is judged once the seal is made. */
static bool waits_for_seal(const struct judgement *j, unsigned part)
{
    return is_declared(j, part) && j->report->phase != POSTURE_PHASE_SEALED;
}

static void describe_way_back(
    const struct fact_process *p, uint64_t surplus, struct text *ret)
{
    const char *word = p->no_new_privs.value == 1 ? "set" : "not set";

    text_addf(ret, "no_new_privs %s", p->no_new_privs.known ? word : "unknown");
    if (p->bounding.known && surplus != 0) {
        text_add_str(ret, "; the bounding set holds ");
        capability_add_set(ret, surplus);
    }
}

/* A row that a seal satisfies holds: who made it so? */
static void hold(const struct judgement *j, unsigned part, const char *observed)
{
    if (is_declared(j, part) && j->report->phase == POSTURE_PHASE_SEALED) {
        enforced(j, observed);
    } else {
        judge_pass(j, observed);
    }
}

void judge_no_way_back(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    uint64_t surplus = p->bounding.value & ~j->policy->capabilities;
    bool holds = (p->no_new_privs.known && p->no_new_privs.value == 1) ||
                 (p->bounding.known && surplus == 0);
    char buf[1024];
    struct text observed = text_over(buf, sizeof(buf));

    describe_way_back(p, surplus, &observed);
    if (p->no_new_privs_contradicted || p->bounding_contradicted) {
        judge_contradiction(j, observed.ptr);
    } else if (holds) {
        hold(j, POSTURE_SEALS_NO_NEW_PRIVS, observed.ptr);
    } else if (waits_for_seal(j, POSTURE_SEALS_NO_NEW_PRIVS)) {
        judge_not_applicable(j, "left to the declared seal");
    } else if (!p->no_new_privs.known) {
        judge_unknown(j, p->no_new_privs.error, observed.ptr);
    } else if (!p->bounding.known) {
        judge_unknown(j, p->bounding.error, observed.ptr);
    } else {
        judge_fail(j, "", observed.ptr,
            "one setuid file gives the dropped capabilities back");
    }
}

/* What several facts say together. */
enum certainty { NO, PERHAPS, YES };

static enum certainty is(const struct fact_number *fact, uint64_t value)
{
    return !fact->known ? PERHAPS : (fact->value == value ? YES : NO);
}

static enum certainty both(enum certainty a, enum certainty b)
{
    return a < b ? a : b;
}

static enum certainty either(enum certainty a, enum certainty b)
{
    return a > b ? a : b;
}

/* An exec makes a program dumpable again, prctl(2). */
static enum certainty stays_undumpable(const struct judgement *j)
{
    return j->policy->program != NULL ? NO : is(&j->facts->process.dumpable, 0);
}

static enum certainty at_most_1(const struct fact_number *limit)
{
    return either(is(limit, 0), is(limit, 1));
}

/* No file is made below the size of a page.  A program that core_pattern names
 * is fed whatever the limit is but 1, by which the kernel knows a program that
 * was started for a core and crashed itself: fs/coredump.c. */
static enum certainty limit_stops_cores(const struct fact_process *p)
{
    enum certainty file =
        both(at_most_1(&p->core_limit), is(&p->core_sink, FACT_CORE_FILE));
    enum certainty program =
        both(both(is(&p->core_limit, 1), is(&p->core_soft, 1)),
            either(is(&p->core_sink, FACT_CORE_FILE),
                is(&p->core_sink, FACT_CORE_PROGRAM)));

    return either(file, program);
}

static void unknown_core(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;

    if (!p->dumpable.known && j->policy->program == NULL) {
        judge_unknown(j, p->dumpable.error, "whether this process is dumpable");
    } else if (!p->core_limit.known) {
        judge_unknown(j, p->core_limit.error, "RLIMIT_CORE");
    } else {
        judge_unknown(j, p->core_sink.error, "/proc/sys/kernel/core_pattern");
    }
}

static void describe_core(const struct judgement *j, struct text *ret)
{
    const struct fact_process *p = &j->facts->process;

    if (stays_undumpable(j) == YES) {
        text_add_str(ret, "not dumpable");
        return;
    }
    text_add_str(ret,
        j->policy->program != NULL ? "the program is dumpable" : "dumpable");
    if (at_most_1(&p->core_limit) != YES) {
        text_add_str(ret, ", RLIMIT_CORE above 1");
    } else if (limit_stops_cores(p) == YES) {
        text_addf(ret, ", RLIMIT_CORE %" PRIu64, p->core_soft.value);
    } else if (is(&p->core_sink, FACT_CORE_SOCKET) == YES) {
        text_add_str(ret, ", and core_pattern sends cores to a socket whatever "
                          "RLIMIT_CORE says");
    } else {
        text_addf(ret,
            ", and core_pattern feeds cores to a program whatever RLIMIT_CORE "
            "says, unless it is 1; it is %" PRIu64,
            p->core_soft.value);
    }
}

void judge_core_dumps(const struct judgement *j)
{
    enum certainty safe =
        either(stays_undumpable(j), limit_stops_cores(&j->facts->process));
    char buf[192];
    struct text observed = text_over(buf, sizeof(buf));

    describe_core(j, &observed);
    if (safe == YES) {
        hold(j, POSTURE_SEALS_NOT_DUMPABLE, observed.ptr);
    } else if (waits_for_seal(j, POSTURE_SEALS_NOT_DUMPABLE)) {
        judge_not_applicable(j, "left to the declared seal");
    } else if (safe == PERHAPS) {
        unknown_core(j);
    } else {
        judge_fail(j, "", observed.ptr,
            "a core dump writes the keys in memory to a disk");
    }
}
