#include "posture/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

/* A path for a shell, in single quotes. */
static void add_quoted(struct text *t, const char *path)
{
    text_add_char(t, '\'');
    for (; *path != '\0'; path++) {
        if (*path == '\'') {
            text_add_str(t, "'\\''");
        } else {
            text_add_char(t, *path);
        }
    }
    text_add_char(t, '\'');
}

struct fault {
    const char *path;
    const char *reason;
    const char *fix; /* a command, the path follows; NULL: the row's fix */
    const char *expected;
    uint32_t uid;
    uint32_t mode;
};

static void add_fault(const struct judgement *j, const struct fault *fault)
{
    char observed[FACTS_PATH_MAX + 128];
    char fix_buf[FACTS_PATH_MAX + 128];
    struct text fix = text_over(fix_buf, sizeof(fix_buf));

    (void)text_format(observed, sizeof(observed),
        "%s: mode %04" PRIo32 ", owner %" PRIu32, fault->path,
        fault->mode & 07777, fault->uid);
    if (fault->fix != NULL) {
        text_addf(&fix, "%s ", fault->fix);
        add_quoted(&fix, fault->path);
    }
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = fault->path,
            .observed = observed,
            .expected = fault->expected,
            .reason = fault->reason,
            .fix = fault->fix == NULL ? NULL : fix.ptr,
        });
}

/* Is a directory above that others may write to protected after all? */
static bool is_protected(const struct fact_component *c,
    const struct fact_component *next, uint32_t euid)
{
    bool ours = next == NULL || next->uid == 0 || next->uid == euid;

    return c->read_only || ((c->mode & S_ISVTX) != 0 && ours);
}

static bool judge_ancestor(const struct judgement *j,
    const struct fact_component *c, const struct fact_component *next)
{
    uint32_t euid = j->facts->euid;
    struct fault fault = {
        .path = c->path,
        .uid = c->uid,
        .mode = c->mode,
        .expected = "every directory above is root's or ours and not writable "
                    "by others",
    };

    if (c->uid != 0 && c->uid != euid) {
        fault.reason =
            S_ISLNK(c->mode)
                ? "a link above the directory belongs to somebody else"
                : "a directory above belongs to somebody else";
        fault.fix = "chown root";
    } else if (!S_ISLNK(c->mode) && (c->mode & 022) != 0 &&
               !is_protected(c, next, euid)) {
        fault.reason = "others may write to a directory above and replace what "
                       "is in it";
        fault.fix = "chmod go-w";
    } else {
        return true;
    }
    add_fault(j, &fault);
    return false;
}

static bool judge_last(
    const struct judgement *j, const struct fact_component *c)
{
    char chown_buf[96];
    struct fault fault = {
        .path = c->path,
        .uid = c->uid,
        .mode = c->mode,
        .expected = "a directory of ours with mode 0700",
    };

    (void)text_format(chown_buf, sizeof(chown_buf),
        "chown %" PRIu32 ":%" PRIu32, j->facts->euid, j->facts->egid);
    if (S_ISLNK(c->mode)) {
        fault.reason = "it is a symbolic link, and links are not followed";
    } else if (!S_ISDIR(c->mode)) {
        fault.reason = "it is not a directory";
    } else if (c->uid != j->facts->euid) {
        fault.reason = "it belongs to somebody else";
        fault.fix = chown_buf;
    } else if ((c->mode & 0777) != 0700) {
        fault.reason = (c->mode & 077) != 0 ? "others may look into it"
                                            : "its owner may not use it";
        fault.fix = "chmod 0700";
    } else {
        return true;
    }
    add_fault(j, &fault);
    return false;
}

static bool judge_files(const struct judgement *j)
{
    const struct fact_directory *dir = &j->facts->cert_cache;
    const char *base = dir->components[dir->component_count - 1].path;

    for (size_t i = 0; i < dir->file_count; i++) {
        const struct fact_file *file = &dir->files[i];
        char path[FACTS_PATH_MAX + 256];
        struct fault fault = {
            .path = path,
            .uid = file->uid,
            .mode = file->mode,
            .expected = "regular files of ours with mode 0600 or less",
        };

        (void)text_format(path, sizeof(path), "%s/%s", base, file->name);
        if (!S_ISREG(file->mode)) {
            fault.reason = "it is not a regular file";
        } else if (file->uid != j->facts->euid) {
            fault.reason = "a file in it belongs to somebody else";
            fault.fix = "chown \"$(id -u)\"";
        } else {
            fault.reason = "others may read a file in it";
            fault.fix = "chmod 0600";
        }
        add_fault(j, &fault);
    }
    return dir->file_count == 0;
}

static bool judge_ancestors(const struct judgement *j, size_t count)
{
    const struct fact_directory *dir = &j->facts->cert_cache;
    bool fine = true;

    for (size_t i = 0; i < count; i++) {
        const struct fact_component *next =
            i + 1 < dir->component_count ? &dir->components[i + 1] : NULL;

        fine &= judge_ancestor(j, &dir->components[i], next);
    }
    return fine;
}

static void walk_ended_early(const struct judgement *j)
{
    const struct fact_directory *dir = &j->facts->cert_cache;
    bool wrong = dir->error == ENOTDIR || dir->error == ELOOP;
    char observed[FACTS_PATH_MAX + 128];

    (void)text_format(observed, sizeof(observed), "%s: %s", dir->at,
        strerrordesc_np(dir->error));
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = wrong ? POSTURE_FAIL : POSTURE_UNKNOWN,
            .error_number = dir->error,
            .object = dir->at,
            .observed = observed,
            .expected = j->row->rule,
            .reason = wrong ? "the path does not lead to a directory"
                            : "the path could not be examined",
        });
}

static bool cannot_list(const struct judgement *j)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = j->facts->cert_cache.files_error,
            .object = j->policy->cert_cache,
            .observed = strerrordesc_np(j->facts->cert_cache.files_error),
            .expected = j->row->rule,
            .reason = "the files in it could not be listed",
        });
    return false;
}

static bool has_note(const struct fact_directory *dir)
{
    for (size_t i = 0; i + 1 < dir->component_count; i++) {
        if (!S_ISLNK(dir->components[i].mode) &&
            (dir->components[i].mode & 022) != 0)
            return true;
    }
    return false;
}

void judge_cert_cache(const struct judgement *j)
{
    const struct fact_directory *dir = &j->facts->cert_cache;
    size_t above = 0;
    bool fine = true;

    if (j->policy->cert_cache == NULL) {
        judge_not_applicable(j, "no certificate cache is configured");
        return;
    }
    if (dir->modes_mean_nothing) {
        report_add(j->report, j->row,
            &(struct report_draft){
                .verdict = POSTURE_UNKNOWN,
                .object = j->policy->cert_cache,
                .observed = "a file system without permissions of its own",
                .expected = j->row->rule,
                .reason = "modes mean nothing on this file system",
            });
        return;
    }
    above = dir->component_count;
    if (!dir->missing && above > 0 && dir->error == 0)
        above--;
    fine = judge_ancestors(j, above);
    if (dir->error != 0) {
        walk_ended_early(j);
        return;
    }
    if (dir->missing) {
        if (fine)
            judge_pass(j, "missing; it will be made with mode 0700");
        return;
    }
    if (!judge_last(j, &dir->components[above])) {
        fine = false;
    } else if (dir->files_error != 0) {
        fine = cannot_list(j);
    } else {
        fine &= judge_files(j);
    }
    if (fine) {
        judge_pass(j, has_note(dir)
                          ? "0700 and ours; a sticky or read-only directory "
                            "above was accepted"
                          : "0700 and ours");
    }
}
