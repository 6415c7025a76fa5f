#include "posture/judge_path.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "posture/facts_files.h"

/* S_ISVTX, which plain POSIX does not name. */
enum { STICKY = 01000 };

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

/* Does that id stand for owners outside of this user namespace? */
static bool is_unmapped(const struct judgement *j, uint32_t uid)
{
    const struct fact_user_namespace *ns = &j->facts->user_namespace;

    return ns->some_unmapped && uid == ns->unmapped_uid;
}

/* Can whoever reads the fix change what that id owns?  Nobody is root inside
 * a container that runs as an ordinary user. */
static bool can_change(const struct judgement *j, uint32_t uid)
{
    uint32_t euid = j->facts->euid;
    enum posture_platform platform = j->facts->platform;

    if (uid == euid || euid == 0)
        return true;
    return !is_unmapped(j, uid) && (platform == POSTURE_PLATFORM_BARE ||
                                       platform == POSTURE_PLATFORM_SYSTEMD);
}

static void add_commands(struct text *t, const struct path_fault *fault)
{
    for (size_t i = 0; i < ARRAY_LEN(fault->commands); i++) {
        if (fault->commands[i] == NULL)
            continue;
        text_addf(t, "%s%s ", t->len > 0 ? " && " : "", fault->commands[i]);
        add_quoted(t, fault->path);
    }
}

void judge_path_fault(const struct judgement *j, const struct path_fault *fault)
{
    char observed[FACTS_PATH_MAX + 256];
    char fix_buf[FACTS_PATH_MAX];
    struct text fix = text_over(fix_buf, sizeof(fix_buf));

    (void)text_format(observed, sizeof(observed),
        "%s: mode %04" PRIo32 ", owner %" PRIu32, fault->path,
        fault->mode & 07777, fault->uid);
    if (fault->advice != NULL) {
        text_add_str(&fix, fault->advice);
    } else if (can_change(j, fault->uid)) {
        add_commands(&fix, fault);
    }
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = fault->path,
            .observed = observed,
            .expected = fault->expected,
            .reason = fault->reason,
            .fix = fix.len == 0 || fix.cut ? NULL : fix.ptr,
            /* In a command of its own the path stands already. */
            .slot = fix.len == 0 || fix.cut ? "FILE" : NULL,
            .value = fault->path,
        });
}

void judge_path_owner_fault(const struct judgement *j, struct path_fault fault)
{
    if (is_unmapped(j, fault.uid)) {
        fault.reason = "its owner is not mapped into this user namespace";
        fault.advice = "start without a user namespace, or in one that maps "
                       "the owner of this path";
    }
    judge_path_fault(j, &fault);
}

void judge_path_made_up(
    const struct judgement *j, const struct fact_component *c, bool harmless)
{
    char observed[FACTS_PATH_MAX + 128];

    (void)text_format(
        observed, sizeof(observed), "%s: on %s", c->path, c->made_up);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .warn_only = harmless,
            .object = c->path,
            .observed = observed,
            .expected = "a file system whose modes decide who may do what",
            .reason = "modes mean nothing on this file system",
            .fix = "move it to a volume with permissions of its own, such as "
                   "ext4 or xfs",
        });
}

const struct fact_component *judge_path_last(const struct judgement *j)
{
    return &j->walk->components[j->walk->component_count - 1];
}

/* ---- the directories and links above ---- */

static bool is_open_to_others(const struct fact_component *c)
{
    return !S_ISLNK(c->mode) && (c->mode & 022) != 0;
}

/* Is a directory above that others may write to protected after all? */
static bool is_protected(const struct fact_component *c,
    const struct fact_component *next, uint32_t euid)
{
    bool ours = next == NULL || next->uid == 0 || next->uid == euid;

    return c->read_only || ((c->mode & STICKY) != 0 && ours);
}

const struct fact_component *judge_path_weak_ancestor(
    const struct fact_directory *walk, uint32_t euid)
{
    for (size_t i = 0; i + 1 < walk->component_count; i++) {
        const struct fact_component *c = &walk->components[i];

        if ((c->uid != 0 && c->uid != euid) ||
            (is_open_to_others(c) && !is_protected(c, c + 1, euid)))
            return c;
    }
    return NULL;
}

static bool judge_ancestor(const struct judgement *j,
    const struct fact_component *c, const struct fact_component *next)
{
    uint32_t euid = j->facts->euid;
    bool theirs = c->uid != 0 && c->uid != euid;
    bool open = is_open_to_others(c) && !is_protected(c, next, euid);
    struct path_fault fault = {
        .path = c->path,
        .uid = c->uid,
        .mode = c->mode,
        .expected = "every directory above is root's or ours and not writable "
                    "by others",
    };

    if (theirs && S_ISLNK(c->mode)) {
        fault.reason = "a link above the directory belongs to somebody else";
        fault.commands[0] = "chown -h root";
        judge_path_owner_fault(j, fault);
    } else if (theirs) {
        /* No command: taking it away from its owner may break theirs. */
        fault.reason = "a directory above belongs to somebody else";
        judge_path_owner_fault(j, fault);
    }
    if (open) {
        fault.reason = "others may write to a directory above and replace what "
                       "is in it";
        fault.commands[0] = "chmod go-w";
        judge_path_fault(j, &fault);
    }
    return !theirs && !open;
}

/* What the platform made "/" of is not the deployer's choice: said, and the
 * modes are taken for what they show. */
static bool judge_ancestors_modes(
    const struct judgement *j, const struct fact_component *c, bool is_parent)
{
    bool harmless = c->on_root && !is_parent;

    if (c->made_up == NULL || c->read_only)
        return true;
    judge_path_made_up(j, c, harmless);
    return false;
}

bool judge_path_ancestors(const struct judgement *j, size_t count)
{
    const struct fact_directory *dir = j->walk;
    bool fine = true;

    for (size_t i = 0; i < count; i++) {
        const struct fact_component *c = &dir->components[i];
        const struct fact_component *next =
            i + 1 < dir->component_count ? c + 1 : NULL;
        /* What is missing will be made there. */
        bool is_parent = dir->missing && next == NULL;

        fine &= judge_ancestors_modes(j, c, is_parent);
        if (c->made_up == NULL || c->on_root || c->read_only)
            fine &= judge_ancestor(j, c, next);
    }
    return fine;
}

/* ---- a walk that ended early ---- */

/* NULL reasons: errno decides. */
static const struct {
    enum posture_verdict verdict;
    const char *reason;
    const char *observed; /* NULL: errno's text */
} obstacles[] = {
    [FACT_OBSTACLE_ERRNO] = {POSTURE_UNKNOWN, NULL, NULL},
    [FACT_OBSTACLE_EMPTY] = {POSTURE_FAIL, "the path is empty", "no path"},
    [FACT_OBSTACLE_CWD] = {POSTURE_UNKNOWN,
        "the path is relative, and the working directory cannot be named",
        NULL},
    [FACT_OBSTACLE_LENGTH] = {POSTURE_UNKNOWN,
        "the path is longer than is examined", "more than 1023 bytes"},
    [FACT_OBSTACLE_DEPTH] = {POSTURE_UNKNOWN,
        "the path has more components than are examined",
        "more than 64 components"},
};

_Static_assert(FACTS_PATH_MAX == 1024 && FACTS_COMPONENTS_MAX == 64,
    "the texts above name both");

/* Why there can be no directory at such a path; NULL: there may be. */
static const char *reason_of(int error)
{
    if (error == ENOTDIR || error == ELOOP)
        return "the path does not lead to a directory";
    if (error == ENAMETOOLONG)
        return "a name in the path is longer than a name can be";
    return NULL;
}

void judge_path_ended_early(const struct judgement *j)
{
    const struct fact_directory *dir = j->walk;
    enum posture_verdict verdict = obstacles[dir->obstacle].verdict;
    const char *reason = obstacles[dir->obstacle].reason;
    const char *what = obstacles[dir->obstacle].observed;
    char observed[FACTS_PATH_MAX + 128];

    if (reason == NULL) {
        reason = reason_of(dir->error);
        verdict = reason == NULL ? POSTURE_UNKNOWN : POSTURE_FAIL;
    }
    (void)text_format(observed, sizeof(observed), "%s%s%s", dir->at,
        dir->at[0] == '\0' ? "" : ": ",
        what == NULL ? facts_error_text(dir->error) : what);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = verdict,
            .error_number = dir->error,
            .object = dir->at,
            .observed = observed,
            .expected = j->row->rule,
            .reason =
                reason == NULL ? "the path could not be examined" : reason,
        });
}

/* An open directory above that was accepted is said, and why. */
static void add_accepted(struct text *t, const struct fact_component *c)
{
    if (!is_open_to_others(c))
        return;
    text_addf(t, "; accepted above: %s (%s)", c->path,
        c->read_only ? "read-only mount" : "sticky");
}

void judge_path_accepted(
    const struct judgement *j, size_t above, struct text *t)
{
    for (size_t i = 0; i < above; i++)
        add_accepted(t, &j->walk->components[i]);
}
