#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/private_file.h"
#include "base/text.h"
#include "posture/judge_path.h"

static bool is_our_group(const struct judgement *j, uint32_t gid)
{
    for (size_t i = 0; i < j->facts->group_count; i++) {
        if (j->facts->groups[i] == gid)
            return true;
    }
    return false;
}

static bool is_private(
    const struct judgement *j, const struct fact_component *file)
{
    return private_file_is_fine(
        (struct private_file){
            .owner = file->uid,
            .mode = file->mode,
            .is_our_group = is_our_group(j, file->gid),
        },
        j->facts->euid);
}

static bool judge_file(
    const struct judgement *j, const struct fact_component *file)
{
    struct path_fault fault = {
        .path = file->path,
        .uid = file->uid,
        .mode = file->mode,
        .expected = "a file of ours with mode 0600 or less, or of root's with "
                    "0640 or less and a group of ours",
    };

    if (!S_ISREG(file->mode)) {
        fault.reason = "it is not a regular file";
        judge_path_fault(j, &fault);
        return false;
    }
    if (is_private(j, file))
        return true;
    if (file->uid == j->facts->euid) {
        fault.reason = "others may read or change it, or it can be executed";
        fault.commands[0] = "chmod 0600";
        judge_path_fault(j, &fault);
    } else if (file->uid == 0) {
        fault.reason =
            "it is root's, and more than a group of ours may read it";
        judge_path_fault(j, &fault);
    } else {
        fault.reason = "it belongs to somebody else";
        judge_path_owner_fault(j, fault);
    }
    return false;
}

/* Another name, perhaps where others look. */
static void add_second_name(
    const struct judgement *j, const struct fact_component *file)
{
    char observed[FACTS_PATH_MAX + 64];

    (void)text_format(observed, sizeof(observed), "%s: %" PRIu64 " names",
        file->path, file->links);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .warn_only = true,
            .object = file->path,
            .observed = observed,
            .expected = "a file with one name",
            .reason = "it has another name, which other ways may lead to",
            .fix = "find / -xdev -samefile FILE, and remove the other name",
            .slot = "FILE",
            .value = file->path,
        });
}

static void add_missing(const struct judgement *j, const char *path)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .error_number = ENOENT,
            .object = path,
            .observed = path,
            .expected = j->row->rule,
            .reason = "it does not exist",
            .slot = "FILE",
            .value = path,
        });
}

static void judge_walk(const struct judgement *j, const char *path)
{
    size_t above = j->walk->component_count;
    const struct fact_component *file = NULL;
    bool fine = true;

    if (j->walk->error == 0 && !j->walk->missing)
        above--;
    fine = judge_path_ancestors(j, above);
    if (j->walk->error != 0) {
        judge_path_ended_early(j);
        return;
    }
    if (j->walk->missing) {
        add_missing(j, path);
        return;
    }
    file = judge_path_last(j);
    fine &= judge_file(j, file);
    if (fine && file->links > 1) {
        add_second_name(j, file);
    } else if (fine) {
        char observed[FACTS_PATH_MAX + 64];

        (void)text_format(observed, sizeof(observed),
            "%s: mode %04" PRIo32 ", owner %" PRIu32, file->path,
            file->mode & 07777, file->uid);
        judge_pass(j, observed);
    }
}

void judge_key_files(const struct judgement *j)
{
    struct judgement here = *j;

    if (j->policy->key_file_count == 0)
        judge_not_applicable(j, "no file with a secret is named");
    for (size_t i = 0; i < j->policy->key_file_count; i++) {
        here.walk = &j->facts->key_files[i];
        judge_walk(&here, j->policy->key_files[i].name);
    }
}
