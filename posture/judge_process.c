#include "posture/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "posture/civil_date.h"

/* personality(2): addresses are not randomized. */
enum { NO_RANDOMIZE = 0x0040000 };

/* No release of this source is older: 2025-01-01T00:00:00Z. */
enum { SOURCE_DATE = 1735689600 };

/* Inode numbers of the initial namespaces, linux/proc_ns.h; the kernel's
 * interface since 3.8. */
static const uint64_t initial_namespaces[FACTS_NAMESPACES] = {
    [FACTS_NAMESPACE_PID] = 0xeffffffc,
    [FACTS_NAMESPACE_IPC] = 0xefffffff,
    [FACTS_NAMESPACE_UTS] = 0xeffffffe,
};

static const char *const namespace_names[FACTS_NAMESPACES] = {
    [FACTS_NAMESPACE_PID] = "pid",
    [FACTS_NAMESPACE_IPC] = "ipc",
    [FACTS_NAMESPACE_UTS] = "uts",
};

void judge_traced(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    char buf[128];
    struct text observed = text_over(buf, sizeof(buf));

    if (!p->tracer.known) {
        judge_unknown(j, p->tracer.error, "TracerPid of /proc/self/status");
        return;
    }
    if (p->tracer.value == 0) {
        judge_pass(j, "nobody traces");
        return;
    }
    text_addf(&observed, "traced by process %" PRIu64, p->tracer.value);
    if (p->tracer_name[0] != '\0')
        text_addf(&observed, " (%s)", p->tracer_name);
    judge_fail(j, "", observed.ptr,
        "a tracer reads the keys in memory and changes what the process does");
}

static void fail_limit(const struct judgement *j, const char *observed)
{
    char needed[32];

    (void)text_format(
        needed, sizeof(needed), "%" PRIu64, j->policy->descriptors);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = "RLIMIT_NOFILE",
            .observed = observed,
            .expected = j->row->rule,
            .reason =
                "connections would be refused long before the declared number",
            .slot = "NEEDED",
            .value = needed,
        });
}

void judge_descriptor_limit(const struct judgement *j)
{
    const struct fact_number *limit = &j->facts->process.descriptors;
    uint64_t need = j->policy->descriptors;
    char buf[256];
    struct text observed = text_over(buf, sizeof(buf));

    if (need == 0) {
        judge_not_applicable(j, "no need is declared");
        return;
    }
    if (!limit->known) {
        judge_unknown(j, limit->error, "the hard limit of RLIMIT_NOFILE");
        return;
    }
    if (limit->value == UINT64_MAX) {
        text_add_str(&observed, "no hard limit");
    } else {
        text_addf(&observed, "hard limit %" PRIu64, limit->value);
    }
    text_addf(&observed, ", needed %" PRIu64 " (%s)", need,
        j->policy->descriptors_why);
    if (limit->value >= need) {
        judge_pass(j, observed.ptr);
    } else {
        fail_limit(j, observed.ptr);
    }
}

/* A clock beyond the calendar is told in seconds alone. */
static void describe_clock(uint64_t now, struct text *ret)
{
    if (now / CIVIL_DATE_SECONDS <= CIVIL_DATE_LAST) {
        char date[CIVIL_DATE_TEXT];

        civil_date_format((uint32_t)(now / CIVIL_DATE_SECONDS), date);
        text_addf(ret, "%s, ", date);
    }
    text_addf(ret, "%" PRIu64 " seconds since 1970", now);
}

void judge_clock(const struct judgement *j)
{
    uint64_t now = j->facts->now;
    char buf[64];
    struct text observed = text_over(buf, sizeof(buf));

    describe_clock(now, &observed);
    if (now >= SOURCE_DATE) {
        judge_pass(j, observed.ptr);
    } else {
        judge_fail(j, "", observed.ptr,
            "the clock is before this program was made, so that certificates "
            "cannot be judged");
    }
}

void judge_entropy(const struct judgement *j)
{
    const struct fact_number *entropy = &j->facts->process.entropy;

    if (entropy->known) {
        judge_pass(j, "getrandom answers");
    } else if (entropy->error == EAGAIN) {
        judge_fail(j, "", "getrandom would block",
            "keys that are made before the kernel is seeded can be guessed");
    } else {
        judge_unknown(j, entropy->error, "getrandom");
    }
}

void judge_personality(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    char buf[64];

    if (!p->personality.known) {
        judge_unknown(j, p->personality.error, "personality");
    } else if ((p->personality.value & NO_RANDOMIZE) != 0) {
        judge_fail(j, "", "personality has ADDR_NO_RANDOMIZE",
            "addresses are the same on every boot, which exploits count on");
    } else {
        judge_pass(j, "addresses are randomized for this process");
    }
    if (!p->randomize_va_space.known) {
        judge_unknown(j, p->randomize_va_space.error,
            "/proc/sys/kernel/randomize_va_space");
    } else if (p->randomize_va_space.value != 2) {
        (void)text_format(buf, sizeof(buf),
            "kernel.randomize_va_space=%" PRIu64, p->randomize_va_space.value);
        report_add(j->report, j->row,
            &(struct report_draft){
                .verdict = POSTURE_FAIL,
                .warn_only = true, /* the host's, not the deployer's */
                .object = "kernel.randomize_va_space",
                .observed = buf,
                .expected = "kernel.randomize_va_space=2",
                .reason = "the host does not randomize all addresses",
                .fix = "on the host: sysctl -w kernel.randomize_va_space=2",
            });
    }
}

void judge_host_namespaces(const struct judgement *j)
{
    const struct fact_number *have = j->facts->process.namespaces;
    bool fine = true;

    if (!j->policy->container) {
        judge_not_applicable(j, "the policy does not say container");
        return;
    }
    for (size_t i = 0; i < FACTS_NAMESPACES; i++) {
        char buf[64];

        if (have[i].known && have[i].value != initial_namespaces[i])
            continue;
        fine = false;
        (void)text_format(
            buf, sizeof(buf), "%s namespace of the host", namespace_names[i]);
        if (have[i].known) {
            judge_fail(j, namespace_names[i], buf,
                "the process sees and can signal or share memory with what "
                "runs on the host");
        } else {
            judge_unknown(j, have[i].error, namespace_names[i]);
        }
    }
    if (fine)
        judge_pass(j, "pid, ipc and uts namespaces of its own");
}

void judge_privileged_group(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    char buf[128];

    if (p->groups_error != 0) {
        judge_unknown(j, p->groups_error, "the groups of this process");
    } else if (p->privileged_group.known) {
        (void)text_format(buf, sizeof(buf), "group %" PRIu64 " (%s)",
            p->privileged_group.value, p->group_name);
        judge_fail(j, p->group_name, buf,
            "that group reaches the host's disks, memory, logs or a daemon "
            "that runs as root");
    } else {
        judge_pass(j, "no privileged group");
    }
}

/* The type of SELinux's USER:ROLE:TYPE:LEVEL; the whole label of others. */
static struct span label_type(const char *label)
{
    struct span rest = span_str(label);
    struct span type = rest;

    for (int part = 0; part < 3; part++) {
        if (part < 2 && memchr(rest.ptr, ':', rest.len) == NULL)
            return span_str(label);
        type = span_take_until(&rest, ':');
    }
    return type;
}

/* AppArmor's PROFILE (MODE): only in some modes the profile is enforced. */
static bool is_confined(const struct fact_process *p)
{
    static const char *const loose_types[] = {"unconfined", "unconfined_t",
        "unconfined_service_t", "spc_t", "kernel", "kernel_t"};
    static const char *const loose_modes[] = {"(complain)", "(unconfined)"};
    struct span type = label_type(p->label);

    for (size_t i = 0; i < ARRAY_LEN(loose_types); i++) {
        if (span_eq(type, span_str(loose_types[i])))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(loose_modes); i++) {
        if (strstr(p->label, loose_modes[i]) != NULL)
            return false;
    }
    return type.len > 0;
}

/* Without a security module the file is not there, or says EINVAL. */
static bool has_security_module(const struct fact_process *p)
{
    return p->label_error != ENOENT && p->label_error != EINVAL &&
           (p->label_error != 0 || p->label[0] != '\0');
}

void judge_confinement(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    char buf[256];
    struct text observed = text_over(buf, sizeof(buf));

    if (p->seccomp.known)
        text_addf(&observed, "seccomp mode %" PRIu64, p->seccomp.value);
    if (p->label[0] != '\0') {
        text_addf(
            &observed, "%slabel %s", observed.len == 0 ? "" : ", ", p->label);
    }
    if (is_confined(p) || (p->seccomp.known && p->seccomp.value != 0)) {
        judge_pass(j, observed.ptr);
    } else if (has_security_module(p) && p->label_error != 0) {
        judge_unknown(j, p->label_error, "the security module's label");
    } else if (!p->seccomp.known) {
        judge_not_applicable(
            j, "neither a security module nor seccomp in this kernel");
    } else {
        judge_fail(j, "", observed.ptr,
            "nothing outside limits what this process may ask of the kernel");
    }
}
