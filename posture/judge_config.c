#include "posture/judge.h"

#include <regex.h>
#include <string.h>

#include "base/text.h"

/* A variable's value as it may be shown. */
static void show(const struct posture_variable *variable, const char *value,
    struct text *ret)
{
    if (variable->secret) {
        text_addf(ret, "set, %zu bytes", strlen(value));
    } else {
        text_addf(ret, "\"%.128s\"", value);
    }
}

static bool is_flag_value(const char *value)
{
    return strcmp(value, "1") == 0;
}

/* The whole value; the pattern compiled when it was added. */
static bool matches(const char *pattern, const char *value)
{
    regex_t compiled;
    regmatch_t match = {0, 0};
    bool found = false;

    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0)
        return false;
    found = regexec(&compiled, value, 1, &match, 0) == 0;
    regfree(&compiled);
    return found && match.rm_so == 0 && value[match.rm_eo] == '\0';
}

/* Why the value is not valid; false: it is. */
static bool find_reason(const struct posture_variable *variable,
    const char *value, struct text *ret)
{
    const char *why = NULL;

    if (value == NULL) {
        text_add_str(ret, variable->required ? "missing" : "");
        return variable->required;
    }
    if (variable->shape == POSTURE_SHAPE_FLAG && !is_flag_value(value)) {
        text_addf(ret,
            "malformed-value: expected \"1\" or unset, got \"%.128s\"",
            variable->secret ? "(withheld)" : value);
        return true;
    }
    if (variable->pattern != NULL && !matches(variable->pattern, value)) {
        text_addf(
            ret, "malformed-value: expected a match of %s", variable->pattern);
        return true;
    }
    if (variable->check != NULL)
        why = variable->check(value);
    if (why == NULL)
        return false;
    text_addf(ret, "malformed-value: %s%s", why,
        variable->secret ? " (value withheld)" : "");
    return true;
}

/* What kubernetes injects for a service of that name. */
static bool is_service_link(const char *value)
{
    return strncmp(value, "tcp://", 6) == 0 ||
           strncmp(value, "udp://", 6) == 0 ||
           strncmp(value, "sctp://", 7) == 0;
}

static void add_fix(
    const struct posture_variable *variable, const char *value, struct text *t)
{
    if (value != NULL && is_service_link(value)) {
        text_add_str(t,
            "kubernetes injected this service link: set enableServiceLinks: "
            "false in the pod spec");
    } else if (variable->fix != NULL) {
        text_add_str(t, variable->fix);
    } else if (variable->shape == POSTURE_SHAPE_FLAG) {
        text_addf(t, "set %s=1, or unset it", variable->name);
    } else {
        text_addf(t, "set %s to a valid value", variable->name);
    }
}

/* True if the variable is fine. */
static bool judge_variable(const struct judgement *j,
    const struct posture_variable *variable, const char *value)
{
    char reason_buf[256];
    char observed_buf[192];
    char fix_buf[256];
    struct text reason = text_over(reason_buf, sizeof(reason_buf));
    struct text observed = text_over(observed_buf, sizeof(observed_buf));
    struct text fix = text_over(fix_buf, sizeof(fix_buf));

    if (!find_reason(variable, value, &reason))
        return true;
    if (value == NULL) {
        text_add_str(&observed, "unset");
    } else {
        show(variable, value, &observed);
    }
    add_fix(variable, value, &fix);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = variable->name,
            .observed = observed.ptr,
            .expected = variable->shape == POSTURE_SHAPE_FLAG
                            ? "exactly 1, or unset"
                            : "a valid value",
            .reason = reason.ptr,
            .fix = fix.ptr,
        });
    return false;
}

void judge_config(const struct judgement *j)
{
    const struct posture_policy *policy = j->policy;
    const struct posture_variable mode = {
        .name = policy->mode_variable,
        .shape = POSTURE_SHAPE_FLAG,
    };
    bool fine = policy->problem_count == 0;

    if (policy->mode_variable != NULL)
        fine &= judge_variable(j, &mode, j->facts->mode_value);
    for (size_t i = 0; i < policy->variable_count; i++) {
        fine &=
            judge_variable(j, &policy->variables[i], j->facts->variables[i]);
    }
    for (size_t i = 0; i < policy->problem_count; i++) {
        const struct posture_problem *problem = &policy->problems[i];

        report_add(j->report, j->row,
            &(struct report_draft){
                .verdict = POSTURE_FAIL,
                .object = problem->key,
                .observed = problem->observed,
                .expected = problem->expected,
                .reason = problem->reason,
                .fix = problem->fix,
            });
    }
    if (fine)
        judge_pass(j, "every declared variable and flag is valid");
}

void judge_plaintext(const struct judgement *j)
{
    char observed[256];

    if (j->policy->plaintext_option == NULL) {
        judge_pass(j, "no plaintext listener is configured");
        return;
    }
    (void)text_format(observed, sizeof(observed), "%s=%s",
        j->policy->plaintext_option, j->policy->plaintext_address);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = j->policy->plaintext_option,
            .observed = observed,
            .expected = "TLS on every public listener",
            .reason = "traffic would be served without TLS",
        });
}

static bool is_asserted(const struct judgement *j)
{
    const char *value = j->facts->single_instance;

    return j->policy->shared_backend || (value != NULL && is_flag_value(value));
}

static void lock_is_unknown(const struct judgement *j)
{
    bool readable = j->facts->lock.error == 0;

    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = j->facts->lock.error,
            .object = j->policy->lock_path,
            .observed = readable ? "the lock is not a regular file"
                                 : "the lock file could not be read",
            .expected = "no other process holds the lock",
            .reason = "whether another instance runs is not known",
            .fix = readable ? "remove it when no instance runs"
                            : "let this user read the lock file, or remove it "
                              "when no instance runs",
        });
}

void judge_single_instance(const struct judgement *j)
{
    const struct posture_facts *facts = j->facts;
    bool scales = facts->scale_out != NULL && !is_asserted(j);
    char observed[160];
    const char *variable = j->policy->single_instance_variable;

    if (!j->policy->single_instance) {
        judge_not_applicable(j, "the policy asks for no single instance");
        return;
    }
    if (scales) {
        (void)text_format(observed, sizeof(observed), "%s is set, %s is not 1",
            facts->scale_out, variable == NULL ? "no assertion" : variable);
        report_add(j->report, j->row,
            &(struct report_draft){
                .verdict = POSTURE_FAIL,
                .object = variable,
                .observed = observed,
                .expected = "the operator's word that one instance runs, or a "
                            "shared backend",
                .reason = "this platform can run several instances, and they "
                          "would not know each other",
            });
    }
    if (facts->lock.held) {
        (void)text_format(observed, sizeof(observed), "held by process %s",
            facts->lock.holder[0] == '\0' ? "unknown" : facts->lock.holder);
        report_add(j->report, j->row,
            &(struct report_draft){
                .verdict = POSTURE_FAIL,
                .object = j->policy->lock_path,
                .observed = observed,
                .expected = "no other process holds the lock",
                .reason = "another instance uses the same state directory",
                .fix = "stop the other instance, or give this one a directory "
                       "of its own",
            });
    }
    if (facts->lock.not_regular || facts->lock.error != 0)
        lock_is_unknown(j);
    if (!scales && !facts->lock.held && !facts->lock.not_regular &&
        facts->lock.error == 0) {
        judge_pass(j, facts->scale_out == NULL
                          ? "no platform that scales out"
                          : "a single instance is asserted");
    }
}
