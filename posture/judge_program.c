#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "posture/capability.h"
#include "posture/facts_files.h"
#include "posture/judge.h"

/* ---- executable ---- */

struct program_fault {
    const char *observed;
    const char *reason;
    const char *fix;
    bool harmless;
};

static void add_fault(const struct judgement *j,
    const struct fact_program *program, struct program_fault fault)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .warn_only = fault.harmless,
            .object = program->path,
            .observed = fault.observed,
            .expected = j->row->rule,
            .reason = fault.reason,
            .fix = fault.fix,
        });
}

static void add_unknown(const struct judgement *j,
    const struct fact_program *program, int error, const char *what)
{
    char observed[FACTS_PATH_MAX + 128];

    (void)text_format(observed, sizeof(observed), "%s of %s: %s", what,
        program->path[0] == '\0' ? "this program" : program->path,
        facts_error_text(error));
    judge_unknown(j, error, observed);
}

static bool is_inert(const struct judgement *j)
{
    const struct fact_number *no_new_privs = &j->facts->process.no_new_privs;

    return no_new_privs->known && no_new_privs->value == 1;
}

static bool judge_modes(
    const struct judgement *j, const struct fact_program *program)
{
    char observed[FACTS_PATH_MAX + 64];

    if ((program->mode & (S_ISUID | S_ISGID)) == 0)
        return true;
    (void)text_format(observed, sizeof(observed), "%s: mode %04" PRIo32,
        program->path, program->mode & 07777);
    add_fault(j, program,
        (struct program_fault){
            .observed = observed,
            .reason = is_inert(j)
                          ? "the program is setuid or setgid; no_new_privs "
                            "keeps that from working here, and nothing "
                            "elsewhere"
                          : "the program is setuid or setgid",
            .fix = "chmod u-s,g-s PROGRAM in the image or the package",
        });
    return false;
}

static bool judge_file_capabilities(
    const struct judgement *j, const struct fact_program *program)
{
    uint64_t more = program->capabilities.value & ~j->policy->capabilities;
    char buf[1024];
    struct text observed = text_over(buf, sizeof(buf));

    if (!program->capabilities.known) {
        add_unknown(
            j, program, program->capabilities.error, "file capabilities");
        return false;
    }
    if (more == 0)
        return true;
    text_add_str(&observed, "file capabilities: ");
    capability_add_set(&observed, more);
    add_fault(j, program,
        (struct program_fault){
            .observed = observed.ptr,
            .reason = "the program's file gives capabilities that the "
                      "allowlist does not have",
            .fix = "setcap -r PROGRAM in the image or the package",
        });
    return false;
}

/* Would exec(2) of the target fail?  It does where the file asks for what the
 * bounding set does not hold, capabilities(7). */
static bool judge_exec(
    const struct judgement *j, const struct fact_program *program)
{
    const struct fact_number *bounding = &j->facts->process.bounding;
    uint64_t lost = program->needed & ~bounding->value;
    char buf[1024];
    struct text observed = text_over(buf, sizeof(buf));

    if (!bounding->known || lost == 0)
        return true;
    text_add_str(&observed, "file capabilities beyond the bounding set: ");
    capability_add_set(&observed, lost);
    add_fault(j, program,
        (struct program_fault){
            .observed = observed.ptr,
            .reason = "the program cannot be started: exec fails with EPERM",
            .fix = "setcap -r PROGRAM in the image or the package, or give "
                   "the container that capability",
        });
    return false;
}

/* Of the file and its directory. */
static bool judge_writable(
    const struct judgement *j, const struct fact_program *program)
{
    const struct fact_number *file = &program->writable;
    const struct fact_number *directory = &program->directory_writable;
    char observed[FACTS_PATH_MAX + 64];

    if (!file->known)
        add_unknown(j, program, file->error, "permissions");
    if (!directory->known)
        add_unknown(j, program, directory->error, "the directory");
    if (file->value != 0 || directory->value != 0) {
        (void)text_format(observed, sizeof(observed),
            "%s%s can be written by us",
            file->value != 0 ? "" : "the directory of ", program->path);
        add_fault(j, program,
            (struct program_fault){
                .observed = observed,
                .reason = "whoever takes over this process can replace its "
                          "program",
            });
        return false;
    }
    return file->known && directory->known;
}

/* True: nothing to say. */
static bool judge_file(
    const struct judgement *j, const struct fact_program *program)
{
    bool fine = true;

    if (program->error != 0) {
        add_unknown(j, program, program->error, "the file");
        return false;
    }
    if (program->in_memory) {
        add_fault(j, program,
            (struct program_fault){
                .observed = program->path,
                .reason = "the program is a file that exists in memory alone",
                .fix = "start it from a file; whoever started this one hid it",
            });
        return false;
    }
    fine &= judge_modes(j, program);
    fine &= judge_file_capabilities(j, program);
    if (program->deleted) {
        add_fault(j, program,
            (struct program_fault){
                .observed = program->path,
                .reason = "the program's file was deleted or replaced",
                .fix = "restart it, so that the new one runs",
                .harmless = true,
            });
        return false;
    }
    /* What root may write says nothing beyond running-as-root. */
    if (j->facts->euid != 0)
        fine &= judge_writable(j, program);
    return fine;
}

void judge_executable(const struct judgement *j)
{
    bool fine = judge_file(j, &j->facts->executable);

    if (j->policy->program != NULL) {
        fine &= judge_file(j, &j->facts->target);
        fine &= judge_exec(j, &j->facts->target);
    }
    if (fine) {
        judge_pass(j, j->policy->program != NULL ? j->facts->target.path
                                                 : j->facts->executable.path);
    }
}

/* ---- inherited-descriptors ---- */

static const struct {
    const char *what;
    const char *reason;
    bool harmless;
} kinds[] = {
    [FACT_DESCRIPTOR_OTHER] = {"",
        "a descriptor was left open by whoever started this process", true},
    [FACT_DESCRIPTOR_DIRECTORY] = {"a directory, ",
        "an open directory leads out of a container or a chroot", false},
    [FACT_DESCRIPTOR_DEVICE] = {"a device, ",
        "an open device bypasses the permissions of its file", false},
    [FACT_DESCRIPTOR_RUNTIME_SOCKET] = {"a container runtime's socket, ",
        "whoever speaks to a container runtime is root on its host", false},
};

/* object: fd=N, or "" of several. */
static void add_descriptor(const struct judgement *j, const char *object,
    const char *observed, const char *reason, bool harmless)
{
    const char *equals = strchr(object, '=');

    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .warn_only = harmless,
            .object = object,
            .observed = observed,
            .expected = j->row->rule,
            .reason = reason,
            .slot = "N",
            .value = equals == NULL ? NULL : equals + 1,
        });
}

static void judge_descriptor(
    const struct judgement *j, const struct fact_descriptor *d)
{
    char object[32];
    char observed[256];

    (void)text_format(object, sizeof(object), "fd=%d", d->fd);
    (void)text_format(observed, sizeof(observed), "descriptor %d: %s%s", d->fd,
        kinds[d->kind].what, d->target);
    add_descriptor(
        j, object, observed, kinds[d->kind].reason, kinds[d->kind].harmless);
}

static void judge_closed(const struct judgement *j, int fd)
{
    char object[32];
    char observed[64];

    (void)text_format(object, sizeof(object), "fd=%d", fd);
    (void)text_format(
        observed, sizeof(observed), "descriptor %d is closed", fd);
    add_descriptor(j, object, observed,
        "the first file or socket that is opened becomes standard input, "
        "output or error",
        false);
}

void judge_inherited_descriptors(const struct judgement *j)
{
    const struct fact_descriptors *all = &j->facts->descriptors;

    for (int fd = 0; fd < 3; fd++) {
        if ((all->closed_stdio >> fd & 1) != 0)
            judge_closed(j, fd);
    }
    for (size_t i = 0; i < all->count; i++)
        judge_descriptor(j, &all->list[i]);
    if (all->left_out > 0) {
        char observed[64];

        (void)text_format(
            observed, sizeof(observed), "%zu more", all->left_out);
        add_descriptor(j, "", observed,
            "there are more descriptors than are examined", false);
    }
    if (all->error != 0) {
        judge_unknown(j, all->error, "the list of descriptors");
    } else if (all->count == 0 && all->closed_stdio == 0) {
        judge_pass(j, "0, 1, 2 and no other");
    }
}
