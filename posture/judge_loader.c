#include <string.h>

#include "base/text.h"
#include "posture/judge_path.h"
#include "posture/loader_variable.h"

static bool is_same(
    const struct policy_value *allowed, const struct fact_variable *variable)
{
    return strcmp(allowed->name, variable->name) == 0 &&
           strcmp(allowed->value, variable->value) == 0;
}

/* ---- what an allowed value names ---- */

static bool judge_last(
    const struct judgement *j, const struct fact_component *c)
{
    struct path_fault fault = {
        .path = c->path,
        .uid = c->uid,
        .mode = c->mode,
        .expected = "a file of root's or ours that others cannot write",
    };
    bool theirs = c->uid != 0 && c->uid != j->facts->euid;
    bool open = (c->mode & 022) != 0 && !c->read_only;

    if (c->made_up != NULL && !c->read_only) {
        judge_path_made_up(j, c, false);
        return false;
    }
    if (theirs) {
        fault.reason = "what is loaded belongs to somebody else";
        judge_path_owner_fault(j, fault);
    }
    if (open) {
        fault.reason = "others may write what is loaded";
        fault.commands[0] = "chmod go-w";
        judge_path_fault(j, &fault);
    }
    return !theirs && !open;
}

/* What is missing is loaded from nowhere, where nobody else can make it. */
static bool judge_walk(const struct judgement *j)
{
    const struct fact_directory *walk = j->walk;
    bool reached = walk->error == 0 && !walk->missing;
    bool fine =
        judge_path_ancestors(j, walk->component_count - (reached ? 1 : 0));

    if (walk->error != 0) {
        judge_path_ended_early(j);
        return false;
    }
    return (!reached || judge_last(j, judge_path_last(j))) && fine;
}

static bool judge_file(
    const struct judgement *j, const char *variable, struct span file)
{
    char observed[FACTS_PATH_MAX];

    if (file.ptr[0] == '/')
        return judge_walk(j);
    (void)text_format(observed, sizeof(observed), "%.*s of %s", (int)file.len,
        (const char *)file.ptr, variable);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .object = variable,
            .observed = observed,
            .expected = "files by their whole path",
            .reason = "which file that is depends on where it is looked for",
            .fix = "name it by its whole path, in the variable and in the "
                   "policy",
        });
    return false;
}

/* The files of an allowed value stand behind those of the ones before. */
static bool judge_allowed(const struct judgement *j, size_t index)
{
    const struct policy_value *allowed = j->policy->allowed;
    const char *name = allowed[index].name;
    struct span rest = span_str(allowed[index].value);
    struct judgement here = *j;
    bool fine = true;

    here.walk = j->facts->allowed_files;
    for (size_t i = 0; i < index; i++)
        here.walk += loader_variable_files(allowed[i].name, allowed[i].value);
    for (;; here.walk++) {
        struct span file = loader_variable_file(name, &rest);

        if (file.len == 0)
            break;
        fine &= judge_file(&here, name, file);
    }
    return fine;
}

/* ---- the row ---- */

static bool judge_variable(
    const struct judgement *j, const struct fact_variable *variable)
{
    char buf[512];
    struct text observed = text_over(buf, sizeof(buf));

    for (size_t i = 0; i < j->policy->allowed_count; i++) {
        if (is_same(&j->policy->allowed[i], variable))
            return judge_allowed(j, i);
    }
    text_addf(&observed, "%s=%s", variable->name, variable->value);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = variable->name,
            .observed = observed.ptr,
            .expected = j->row->rule,
            .reason =
                "this variable makes libraries load code or write secrets",
            .slot = "NAME",
            .value = variable->name,
        });
    return false;
}

static void fail_preload_file(const struct judgement *j)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = "/etc/ld.so.preload",
            .observed = "/etc/ld.so.preload is not empty",
            .expected = j->row->rule,
            .reason = "every program here loads the libraries that it names",
            .fix = "remove /etc/ld.so.preload from the image or the machine",
        });
}

void judge_loader_environment(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    bool fine = true;

    for (size_t i = 0; i < p->loader_count; i++)
        fine &= judge_variable(j, &p->loader[i]);
    if (!p->preload_file.known) {
        judge_unknown(j, p->preload_file.error, "/etc/ld.so.preload");
        fine = false;
    } else if (p->preload_file.value != 0) {
        fail_preload_file(j);
        fine = false;
    }
    if (fine) {
        judge_pass(j, p->loader_count == 0 ? "no such variable is set"
                                           : "only what the policy allows");
    }
}
