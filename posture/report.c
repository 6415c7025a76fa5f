#include "posture/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "posture/policy.h"

static bool grow(struct posture_report *report)
{
    size_t cap = report->cap == 0 ? 16 : report->cap * 2;
    struct posture_finding *findings =
        realloc(report->findings, cap * sizeof(*findings));
    char **blocks = NULL;

    if (findings == NULL)
        return false;
    report->findings = findings;
    blocks = realloc(report->blocks, cap * sizeof(*blocks));
    if (blocks == NULL)
        return false;
    report->blocks = blocks;
    report->cap = cap;
    return true;
}

static enum posture_action action_of(const struct posture_report *report,
    const struct posture_invariant *row, const struct report_draft *draft)
{
    enum posture_action action = POSTURE_ACTION_NONE;

    if (draft->verdict == POSTURE_FAIL) {
        action = row->action[report->mode];
    } else if (draft->verdict == POSTURE_UNKNOWN) {
        action = row->on_unknown[report->mode];
    }
    if (draft->verdict == POSTURE_WAIVED)
        action = POSTURE_ACTION_WARN;
    if ((draft->warn_only || row->since > report->catalogue) &&
        action == POSTURE_ACTION_REFUSE)
        action = POSTURE_ACTION_WARN;
    return action;
}

enum { TEXTS = 6 };

/* One block for all of a finding's own strings. */
static char *copy_texts(const char *const from[TEXTS], const char *ret[TEXTS])
{
    size_t total = 0;
    char *block = NULL;
    char *at = NULL;

    for (size_t i = 0; i < TEXTS; i++)
        total += strlen(from[i]) + 1;
    block = malloc(total);
    at = block;
    for (size_t i = 0; i < TEXTS && block != NULL; i++) {
        size_t len = strlen(from[i]) + 1;

        memcpy(at, from[i], len);
        ret[i] = at;
        at += len;
    }
    return block;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static const struct policy_waiver *find_waiver(
    const struct posture_report *report, enum posture_error error)
{
    for (size_t i = 0; i < report->waiver_count; i++) {
        if (report->waivers[i].error == error)
            return &report->waivers[i];
    }
    return NULL;
}

/* A waiver downgrades and never hides: the finding says that it was there. */
static void waive(const struct posture_report *report,
    const struct posture_invariant *row, struct report_draft *draft,
    struct text *reason)
{
    const struct policy_waiver *waiver =
        draft->verdict == POSTURE_FAIL ? find_waiver(report, row->error) : NULL;
    bool over = false;
    bool far = false;

    if (waiver == NULL)
        return;
    over = waiver->until < report->today;
    far = waiver->until > report->today + REPORT_WAIVER_DAYS_MAX;
    if (over) {
        text_addf(reason, "its waiver ended on %s; ", waiver->date);
    } else if (far) {
        text_addf(reason,
            "its waiver until %s is no waiver, more than %d "
            "days away; ",
            waiver->date, REPORT_WAIVER_DAYS_MAX);
    } else {
        text_addf(
            reason, "waived until %s (%s): ", waiver->date, waiver->reason);
        draft->verdict = POSTURE_WAIVED;
    }
    text_add_str(reason, or_empty(draft->reason));
    draft->reason = reason->ptr;
}

static bool is_word(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Is it the word, and not a part of another one? */
static bool is_at(const char *fix, const char *at, const char *word)
{
    size_t len = strlen(word);

    return strncmp(at, word, len) == 0 && !is_word(at[len]) &&
           (at == fix || !is_word(at[-1]));
}

/* Safe in a shell as it is. */
static bool is_plain(const char *value)
{
    for (; *value != '\0'; value++) {
        if (!is_word(*value) && *value != '/' && *value != '.')
            return false;
    }
    return true;
}

/* The fix to paste: with the name, number or path that this finding is of. */
static const char *fill(
    const char *fix, const struct report_draft *draft, struct text *ret)
{
    if (draft->slot == NULL || draft->value == NULL || !is_plain(draft->value))
        return fix;
    for (const char *at = fix; *at != '\0';) {
        bool found = is_at(fix, at, draft->slot);

        if (found) {
            text_add_str(ret, draft->value);
            at += strlen(draft->slot);
        } else {
            text_add_char(ret, *at++);
        }
    }
    return ret->cut ? fix : ret->ptr;
}

static void store(struct posture_report *report,
    const struct posture_invariant *row, const struct report_draft *draft)
{
    enum posture_action action = action_of(report, row, draft);
    char filled[2048];
    struct text buf = text_over(filled, sizeof(filled));
    const char *fix =
        fill(draft->fix == NULL ? row->fix[report->platform] : draft->fix,
            draft, &buf);
    const char *copies[TEXTS] = {NULL};
    char *block = NULL;

    if (report->stopped || report->no_memory ||
        report->count == REPORT_FINDINGS_MAX)
        return;
    if (report->count < report->cap || grow(report)) {
        const char *texts[TEXTS] = {or_empty(draft->object),
            or_empty(draft->observed), or_empty(draft->expected),
            or_empty(draft->reason), action == POSTURE_ACTION_NONE ? "" : fix,
            action == POSTURE_ACTION_NONE ? "" : row->impact};

        block = copy_texts(texts, copies);
    }
    if (block == NULL) {
        report->no_memory = true;
        return;
    }
    report->blocks[report->count] = block;
    report->findings[report->count++] = (struct posture_finding){
        .id = row->id,
        .sentinel = row->sentinel,
        .error = row->error,
        .verdict = draft->verdict,
        .action = action,
        .error_number = draft->error_number,
        .object = copies[0],
        .observed = copies[1],
        .expected = copies[2],
        .reason = copies[3],
        .fix = copies[4],
        .impact = copies[5],
        .runbook = row->runbook,
    };
    report->stopped = (report->flags & POSTURE_STOP_AT_FIRST) != 0 &&
                      action == POSTURE_ACTION_REFUSE;
}

void report_add(struct posture_report *report,
    const struct posture_invariant *row, const struct report_draft *draft)
{
    struct report_draft waived = *draft;
    char buf[1024];
    struct text reason = text_over(buf, sizeof(buf));

    waive(report, row, &waived, &reason);
    store(report, row, &waived);
}

void posture_report_free(struct posture_report *report)
{
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->count; i++)
        free(report->blocks[i]);
    free(report->blocks);
    free(report->findings);
    free(report);
}

enum posture_mode posture_report_mode(const struct posture_report *report)
{
    return report->mode;
}

enum posture_platform posture_report_platform(
    const struct posture_report *report)
{
    return report->platform;
}

enum posture_action posture_report_action(const struct posture_report *report)
{
    enum posture_action strictest = POSTURE_ACTION_NONE;

    for (size_t i = 0; i < report->count; i++) {
        if (report->findings[i].action > strictest)
            strictest = report->findings[i].action;
    }
    return strictest;
}

size_t posture_report_count(const struct posture_report *report)
{
    return report->count;
}

const struct posture_finding *posture_report_finding(
    const struct posture_report *report, size_t index)
{
    return index < report->count ? &report->findings[index] : NULL;
}

size_t posture_report_actions(
    const struct posture_report *report, enum posture_action action)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->findings[i].action == action;
    return count;
}

bool posture_report_has(
    const struct posture_report *report, enum posture_error error)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->findings[i].error == error &&
            report->findings[i].verdict == POSTURE_FAIL)
            return true;
    }
    return false;
}

const char *posture_report_notice(const struct posture_report *report)
{
    return report->notice[0] == '\0' ? NULL : report->notice;
}
