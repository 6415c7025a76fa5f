#include <inttypes.h>
#include <sys/stat.h>

#include "base/text.h"
#include "posture/facts_files.h"
#include "posture/judge_path.h"

/* ---- the directory itself and what is in it ---- */

/* "/etc", "/var/lib", "/home/alice": nobody made them for certificates, and a
 * command that takes them over, or what is in them, would do harm. */
static bool may_repair(const struct judgement *j)
{
    const struct fact_directory *dir = j->walk;
    uint32_t euid = j->facts->euid;

    return dir->component_count > 3 ||
           (judge_path_last(j)->uid == euid && euid != 0);
}

static bool judge_directory(
    const struct judgement *j, const struct fact_component *c)
{
    char chown[64];
    bool theirs = c->uid != j->facts->euid;
    bool repairable = may_repair(j);
    struct path_fault fault = {
        .path = c->path,
        .uid = c->uid,
        .mode = c->mode,
        .expected = "a directory of ours with mode 0700",
    };

    (void)text_format(chown, sizeof(chown), "chown %" PRIu32 ":%" PRIu32,
        j->facts->euid, j->facts->egid);
    if (theirs) {
        fault.reason = "it belongs to somebody else";
        fault.commands[0] = repairable ? chown : NULL;
        judge_path_owner_fault(j, fault);
    }
    if ((c->mode & 0777) != 0700) {
        fault.reason = (c->mode & 077) != 0 ? "others may look into it"
                                            : "its owner may not use it";
        fault.commands[0] = repairable ? "chmod 0700" : NULL;
        judge_path_fault(j, &fault);
        return false;
    }
    return !theirs;
}

static bool judge_last(
    const struct judgement *j, const struct fact_component *c)
{
    struct path_fault fault = {
        .path = c->path,
        .uid = c->uid,
        .mode = c->mode,
        .expected = "a directory of ours with mode 0700",
    };

    if (j->walk->component_count == 1) {
        fault.reason = "it is the root directory";
    } else if (S_ISLNK(c->mode)) {
        fault.reason = "it is a symbolic link, and links are not followed";
    } else if (!S_ISDIR(c->mode)) {
        fault.reason = "it is not a directory";
    } else if (c->made_up != NULL) {
        judge_path_made_up(j, c, false);
        return false;
    } else {
        return judge_directory(j, c);
    }
    judge_path_fault(j, &fault);
    return false;
}

static void judge_file(const struct judgement *j, const struct fact_file *file)
{
    bool repairable = may_repair(j);
    bool theirs = file->uid != j->facts->euid;
    bool loose = (file->mode & 0177) != 0;
    char path[FACTS_PATH_MAX + 256];
    char chown[32];
    struct path_fault fault = {
        .path = path,
        .uid = file->uid,
        .mode = file->mode,
        .expected = "regular files of ours with mode 0600 or less",
    };

    (void)text_format(
        path, sizeof(path), "%s/%s", judge_path_last(j)->path, file->name);
    (void)text_format(chown, sizeof(chown), "chown %" PRIu32, j->facts->euid);
    if (!S_ISREG(file->mode)) {
        fault.reason = "it is not a regular file";
        fault.advice = "move it elsewhere, or give the certificates a "
                       "directory of their own";
        judge_path_fault(j, &fault);
        return;
    }
    fault.commands[0] = theirs && repairable ? chown : NULL;
    fault.commands[1] = loose && repairable ? "chmod 0600" : NULL;
    fault.reason = "others may read a file in it";
    if (theirs) {
        fault.reason =
            loose ? "a file in it belongs to somebody else, and others may "
                    "read it"
                  : "a file in it belongs to somebody else";
        judge_path_owner_fault(j, fault);
    } else {
        judge_path_fault(j, &fault);
    }
}

static void cannot_list(const struct judgement *j)
{
    int error = j->walk->files_error;

    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = error,
            .object = j->policy->cert_cache,
            .observed = facts_error_text(error),
            .expected = j->row->rule,
            .reason = "the files in it could not be listed",
        });
}

static bool judge_place(const struct judgement *j)
{
    const struct fact_directory *dir = j->walk;
    const struct fact_component *last = judge_path_last(j);
    bool fine = judge_last(j, last);

    /* What is in "/" says nothing about certificates. */
    if (last->made_up != NULL || dir->component_count == 1)
        return false;
    for (size_t i = 0; i < dir->file_count; i++)
        judge_file(j, &dir->files[i]);
    /* What keeps us from listing it is then said already. */
    if (fine && dir->files_error != 0)
        cannot_list(j);
    return fine && dir->file_count == 0 && dir->files_error == 0;
}

static void pass(const struct judgement *j, size_t above)
{
    const struct fact_directory *dir = j->walk;
    char buf[512];
    struct text observed = text_over(buf, sizeof(buf));

    text_add_str(&observed, dir->missing
                                ? "missing; it will be made with mode 0700"
                                : "0700 and ours");
    judge_path_accepted(j, above, &observed);
    judge_pass(j, observed.ptr);
}

static void judge_walk(const struct judgement *j)
{
    const struct fact_directory *dir = j->walk;
    size_t above = dir->component_count;
    bool fine = true;

    if (!dir->missing && dir->error == 0)
        above--;
    fine = judge_path_ancestors(j, above);
    if (dir->error != 0) {
        judge_path_ended_early(j);
        return;
    }
    if (!dir->missing)
        fine &= judge_place(j);
    if (fine)
        pass(j, above);
}

void judge_cert_cache(const struct judgement *j)
{
    struct judgement here = *j;

    here.walk = &j->facts->cert_cache;
    if (j->policy->cert_cache == NULL) {
        judge_not_applicable(j, "no certificate cache is configured");
    } else {
        judge_walk(&here);
    }
}
