#include <inttypes.h>

#include "base/text.h"
#include "posture/facts_files.h"
#include "posture/judge.h"

/* Machines of up to that much memory are guests sized for one program. */
#define SMALL_GUEST (UINT64_C(4) << 30)

static void add_unknown_access(
    const struct judgement *j, const struct fact_access *access)
{
    char observed[FACTS_PATH_MAX + 64];

    (void)text_format(observed, sizeof(observed), "%s: %s", access->path,
        facts_error_text(access->error));
    judge_unknown(j, access->error, observed);
}

/* Whether none may be used; those that may are one failure. */
static bool judge_accesses(const struct judgement *j,
    const struct fact_access *list, size_t count, const char *can,
    const char *reason)
{
    char buf[1024];
    struct text observed = text_over(buf, sizeof(buf));
    const char *object = NULL;
    bool fine = true;

    for (size_t i = 0; i < count; i++) {
        if (list[i].allowed) {
            text_addf(
                &observed, "%s%s", object == NULL ? "" : ", ", list[i].path);
            object = object == NULL ? list[i].path : object;
        } else if (list[i].error != 0) {
            add_unknown_access(j, &list[i]);
            fine = false;
        }
    }
    if (object == NULL)
        return fine;
    text_addf(&observed, " %s", can);
    judge_fail(j, object, observed.ptr, reason);
    return false;
}

/* Does it run in a container, by declaration or by what is seen? */
static bool in_container(const struct judgement *j)
{
    enum posture_platform platform = j->facts->platform;

    return j->policy->container || platform == POSTURE_PLATFORM_DOCKER ||
           platform == POSTURE_PLATFORM_PODMAN ||
           platform == POSTURE_PLATFORM_KUBERNETES;
}

/* ---- runtime-socket ---- */

void judge_runtime_socket(const struct judgement *j)
{
    const struct fact_host *host = &j->facts->host;
    char observed[64];
    bool fine = judge_accesses(j, host->runtime_sockets,
        host->runtime_socket_count, "can be written by us",
        "whoever speaks to a container runtime is root on its host");

    if (host->mounts_error != 0) {
        judge_unknown(j, host->mounts_error, "the mounts");
        return;
    }
    (void)text_format(observed, sizeof(observed),
        host->runtime_socket_count == 0 ? "none is reachable"
                                        : "%zu exist, none is open to us",
        host->runtime_socket_count);
    if (fine)
        judge_pass(j, observed);
}

/* ---- privileged-container ---- */

static bool is_kernel_log(const struct fact_access *device)
{
    return span_eq(span_str(device->path), span_str("/dev/kmsg"));
}

/* A host may let its users read the kernel's log; a container may not. */
static bool judge_devices(const struct judgement *j)
{
    const struct fact_host *host = &j->facts->host;
    bool fine = true;

    for (size_t i = 0; i < host->device_count; i++) {
        if (is_kernel_log(&host->devices[i]) && !in_container(j))
            continue;
        fine &= judge_accesses(j, &host->devices[i], 1, "can be read by us",
            "the machine's disks, memory or log can be read from here");
    }
    return fine;
}

static bool judge_sys(const struct judgement *j)
{
    const struct fact_number *read_only = &j->facts->host.sys_read_only;

    /* Without /sys there is nothing to write to. */
    if (!in_container(j) || !read_only->known || read_only->value != 0)
        return true;
    judge_fail(j, "/sys", "/sys is mounted read-write",
        "the container was started with --privileged, or /sys was mounted "
        "by hand");
    return false;
}

void judge_privileged_container(const struct judgement *j)
{
    const struct fact_host *host = &j->facts->host;
    bool fine =
        judge_accesses(j, host->knobs, host->knob_count, "can be written by us",
            "the kernel of the whole machine can be changed from here");

    fine &= judge_devices(j);
    fine &= judge_sys(j);
    if (fine)
        judge_pass(j, "no knob of the kernel is writable, no device readable");
}

/* ---- root-filesystem ---- */

void judge_root_filesystem(const struct judgement *j)
{
    const struct fact_host *host = &j->facts->host;
    bool fine = true;

    if (j->facts->euid == 0 && host->root_read_only.value == 0) {
        judge_not_applicable(j, "root may write; see running-as-root");
        return;
    }
    fine = judge_accesses(j, host->system, host->system_count,
        "can be written by us",
        "whoever takes over this process can change programs and settings");

    if (fine) {
        judge_pass(j, host->root_read_only.value != 0
                          ? "mounted read-only"
                          : "writable, but not by us");
    }
}

/* ---- memory-limit ---- */

static void add_mebibytes(struct text *t, uint64_t bytes)
{
    text_addf(t, "%" PRIu64 " MiB", bytes >> 20);
}

void judge_memory_limit(const struct judgement *j)
{
    const struct fact_number *limit = &j->facts->host.memory_limit;
    const struct fact_number *memory = &j->facts->host.memory;
    char buf[128];
    struct text observed = text_over(buf, sizeof(buf));

    if (limit->known && limit->value != UINT64_MAX &&
        (!memory->known || limit->value < memory->value)) {
        add_mebibytes(&observed, limit->value);
        judge_pass(j, observed.ptr);
        return;
    }
    if (memory->known && (memory->value <= SMALL_GUEST ||
                             j->facts->platform == POSTURE_PLATFORM_FLY)) {
        text_add_str(&observed, "the machine itself, ");
        add_mebibytes(&observed, memory->value);
        judge_pass(j, observed.ptr);
        return;
    }
    if (!limit->known) {
        judge_unknown(j, limit->error, "the memory limit of the cgroup");
        return;
    }
    text_add_str(&observed, "no limit");
    if (memory->known) {
        text_add_str(&observed, " on a machine of ");
        add_mebibytes(&observed, memory->value);
    }
    judge_fail(j, "", observed.ptr,
        "one client could make this process take the memory of all others");
}
