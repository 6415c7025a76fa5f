/* What the kernel says of this process and its limits. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/own.h"
#include "base/text.h"
#include "posture/facts.h"
#include "posture/group_file.h"
#include "posture/proc_status.h"

static struct fact_number read_number(const char *path)
{
    char buf[32];
    uint64_t value = 0;
    ssize_t len = facts_read_head(path, buf, sizeof(buf));
    struct span text = span_of(buf, len < 0 ? 0 : strcspn(buf, "\n"));

    bool known = num_parse_u64(text, UINT64_MAX, &value);

    if (len < 0)
        return facts_number(false, 0, (int)-len);
    return facts_number(known, value, EINVAL);
}

/* Why the status does not have a field: it was not read, or this kernel's has
 * none. */
static int why_absent(const struct proc_status *status)
{
    return status->error != 0 ? status->error : ENOENT;
}

/* ---- no-way-back ---- */

static struct fact_number asked_by_prctl(int option)
{
    int value = prctl(option, 0, 0, 0, 0);

    return facts_number(value >= 0, (uint64_t)value, errno);
}

static void find_no_new_privs(
    const struct proc_status *status, struct fact_process *ret)
{
    ret->no_new_privs = asked_by_prctl(PR_GET_NO_NEW_PRIVS);
    if (!status->no_new_privs_known)
        return; /* gVisor's does not have it */
    if (!ret->no_new_privs.known)
        ret->no_new_privs = facts_number(true, status->no_new_privs, 0);
    ret->no_new_privs_contradicted =
        ret->no_new_privs.value != status->no_new_privs;
}

static struct fact_number asked_for_bounding(void)
{
    uint64_t set = 0;

    for (unsigned long bit = 0; bit < 64; bit++) {
        int held = prctl(PR_CAPBSET_READ, bit, 0, 0, 0);

        if (held < 0 && (errno != EINVAL || bit == 0))
            return facts_number(false, 0, errno);
        if (held < 0)
            break; /* past the last one that this kernel has */
        set |= (uint64_t)held << bit;
    }
    return facts_number(true, set, 0);
}

/* A call for each bit: made where the answer of the status decides the row,
 * and lets it pass. */
static bool bounding_decides(const struct posture_policy *policy,
    enum posture_phase phase, const struct fact_process *p)
{
    bool left_to_seal = phase == POSTURE_PHASE_BOOT &&
                        (policy->seal & POSTURE_SEALS_NO_NEW_PRIVS) != 0;

    return !left_to_seal && p->no_new_privs.value != 1 &&
           (p->bounding.value & ~policy->capabilities) == 0;
}

static void find_bounding(const struct posture_policy *policy,
    enum posture_phase phase, const struct proc_status *status,
    struct fact_process *ret)
{
    struct fact_number asked;

    if (!status->cap_known[PROC_STATUS_CAP_BOUNDING]) {
        ret->bounding = asked_for_bounding();
        return;
    }
    ret->bounding =
        facts_number(true, status->cap[PROC_STATUS_CAP_BOUNDING], 0);
    if (!bounding_decides(policy, phase, ret))
        return;
    asked = asked_for_bounding();
    ret->bounding_contradicted =
        asked.known && asked.value != ret->bounding.value;
}

/* ---- traced ---- */

static void find_tracer(
    const struct proc_status *status, struct fact_process *ret)
{
    char path[64];

    ret->tracer = facts_number(
        status->tracer_known, status->tracer_pid, why_absent(status));
    if (!status->tracer_known || status->tracer_pid == 0)
        return;
    (void)text_format(path, sizeof(path), "/proc/%llu/comm",
        (unsigned long long)status->tracer_pid);
    IGNORE(
        facts_read_head(path, ret->tracer_name, sizeof(ret->tracer_name)) < 0,
        "the name only helps");
    ret->tracer_name[strcspn(ret->tracer_name, "\n")] = '\0';
}

/* ---- core-dumps, descriptor-limit ---- */

static uint64_t limit_value(rlim_t limit)
{
    return limit == RLIM_INFINITY ? UINT64_MAX : limit;
}

static struct fact_number hard_limit(__rlimit_resource_t resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0)
        return facts_number(false, 0, errno);
    return facts_number(true, limit_value(limit.rlim_max), 0);
}

static void find_core_limits(struct fact_process *ret)
{
    struct rlimit limit = {0, 0};
    bool known = getrlimit(RLIMIT_CORE, &limit) == 0;
    int error = known ? 0 : errno;

    ret->core_limit = facts_number(known, limit_value(limit.rlim_max), error);
    ret->core_soft = facts_number(known, limit_value(limit.rlim_cur), error);
}

static struct fact_number core_sink(void)
{
    char pattern[128] = "";
    ssize_t len = facts_read_head(
        "/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
    enum fact_core_sink sink = pattern[0] == '|'   ? FACT_CORE_PROGRAM
                               : pattern[0] == '@' ? FACT_CORE_SOCKET
                                                   : FACT_CORE_FILE;

    return facts_number(len >= 0, (uint64_t)sink, len < 0 ? (int)-len : 0);
}

/* ---- privileged-group ---- */

static void find_groups(gid_t egid, struct fact_process *ret)
{
    int count = getgroups(0, NULL);
    FREES gid_t *groups =
        count < 0 ? NULL : calloc((size_t)count + 1, sizeof(*groups));
    FREES char *names = NULL;
    ssize_t len = 0;

    if (groups == NULL || (count > 0 && getgroups(count, groups) != count)) {
        ret->groups_error = errno;
        return;
    }
    groups[count] = egid;
    names = malloc(FACTS_GROUP_FILE_MAX);
    if (names == NULL) {
        ret->groups_error = ENOMEM;
        return;
    }
    len = facts_read_head("/etc/group", names, FACTS_GROUP_FILE_MAX);
    for (int i = 0; i <= count; i++) {
        struct span name = group_file_privileged(
            span_of(names, len < 0 ? 0 : (size_t)len), groups[i]);
        struct text t = text_over(ret->group_name, sizeof(ret->group_name));

        if (name.len == 0)
            continue;
        ret->privileged_group = facts_number(true, groups[i], 0);
        text_add(&t, name);
        return;
    }
}

/* ---- host-namespaces ---- */

static struct fact_number namespace_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return facts_number(false, 0, errno);
    return facts_number(true, st.st_ino, 0);
}

/* ---- confinement ---- */

static void find_label(struct fact_process *ret)
{
    static const char *const paths[] = {
        "/proc/thread-self/attr/apparmor/current",
        "/proc/thread-self/attr/current"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        ssize_t len = facts_read_head(paths[i], ret->label, sizeof(ret->label));

        ret->label_error = len < 0 ? (int)-len : 0;
        if (len < 0)
            continue;
        ret->label[strcspn(ret->label, "\n")] = '\0';
        return;
    }
    ret->label[0] = '\0';
}

/* ---- entropy ---- */

static struct fact_number entropy(void)
{
    uint8_t byte = 0;
    bool answers = getrandom(&byte, sizeof(byte), GRND_NONBLOCK) == 1;

    return facts_number(answers, 1, errno);
}

void facts_sealed_process(const struct posture_policy *policy,
    enum posture_phase phase, const struct proc_status *status,
    struct fact_process *ret)
{
    find_no_new_privs(status, ret);
    find_bounding(policy, phase, status, ret);
    ret->dumpable = asked_by_prctl(PR_GET_DUMPABLE);
    /* Then nothing else decides, unless an exec makes it dumpable again. */
    if (ret->dumpable.known && ret->dumpable.value == 0 &&
        policy->program == NULL)
        return;
    find_core_limits(ret);
    ret->core_sink = core_sink();
}

static void find_namespaces(struct fact_process *ret)
{
    ret->namespaces[FACTS_NAMESPACE_PID] =
        namespace_of("/proc/thread-self/ns/pid");
    ret->namespaces[FACTS_NAMESPACE_IPC] =
        namespace_of("/proc/thread-self/ns/ipc");
    ret->namespaces[FACTS_NAMESPACE_UTS] =
        namespace_of("/proc/thread-self/ns/uts");
}

void facts_process(const struct posture_policy *policy, gid_t egid,
    const struct proc_status *status, struct fact_process *ret)
{
    int persona = personality(0xffffffff);

    facts_sealed_process(policy, POSTURE_PHASE_BOOT, status, ret);
    ret->descriptors = hard_limit(RLIMIT_NOFILE);
    find_tracer(status, ret);
    ret->personality = facts_number(persona >= 0, (unsigned)persona, errno);
    ret->randomize_va_space =
        read_number("/proc/sys/kernel/randomize_va_space");
    ret->entropy = entropy();
    find_groups(egid, ret);
    if (policy->container)
        find_namespaces(ret);
    ret->seccomp = facts_number(
        status->seccomp_known, status->seccomp, why_absent(status));
    /* A filter is enough for the row. */
    if (!status->seccomp_known || status->seccomp == 0)
        find_label(ret);
}
