#include "posture/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "posture/capability.h"

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

static void unknown(const struct judgement *j, int error, const char *what)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = error,
            .observed = what,
            .expected = j->row->rule,
            .reason = "the fact could not be read",
        });
}

static void fail(const struct judgement *j, const char *object,
    const char *observed, const char *reason)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = object,
            .observed = observed,
            .expected = j->row->rule,
            .reason = reason,
        });
}

static void enforced(const struct judgement *j, const char *observed)
{
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_ENFORCED,
            .observed = observed,
            .expected = j->row->rule,
        });
}

static bool is_declared(const struct judgement *j, unsigned part)
{
    return (j->policy->seal & part) != 0;
}

/* What a declared seal satisfies is judged once the seal is made. */
static bool waits_for_seal(const struct judgement *j, unsigned part)
{
    return is_declared(j, part) && j->report->phase != POSTURE_PHASE_SEALED;
}

static void describe_way_back(
    const struct fact_process *p, uint64_t surplus, struct text *ret)
{
    const char *word = p->no_new_privs.value == 1 ? "set" : "not set";

    text_addf(ret, "no_new_privs %s", p->no_new_privs.known ? word : "unknown");
    if (p->bounding.known && surplus != 0) {
        text_add_str(ret, "; the bounding set holds ");
        capability_add_set(ret, surplus);
    }
}

/* A row that a seal satisfies holds: who made it so? */
static void hold(const struct judgement *j, unsigned part, const char *observed)
{
    if (is_declared(j, part) && j->report->phase == POSTURE_PHASE_SEALED) {
        enforced(j, observed);
    } else {
        judge_pass(j, observed);
    }
}

void judge_no_way_back(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    uint64_t surplus = p->bounding.value & ~j->policy->capabilities;
    bool holds = (p->no_new_privs.known && p->no_new_privs.value == 1) ||
                 (p->bounding.known && surplus == 0);
    char buf[1024];
    struct text observed = text_over(buf, sizeof(buf));

    describe_way_back(p, surplus, &observed);
    if (p->no_new_privs_contradicted || p->bounding_contradicted) {
        judge_contradiction(j, observed.ptr);
    } else if (holds) {
        hold(j, POSTURE_SEALS_NO_NEW_PRIVS, observed.ptr);
    } else if (waits_for_seal(j, POSTURE_SEALS_NO_NEW_PRIVS)) {
        judge_not_applicable(j, "left to the declared seal");
    } else if (!p->no_new_privs.known) {
        unknown(j, p->no_new_privs.error, observed.ptr);
    } else if (!p->bounding.known) {
        unknown(j, p->bounding.error, observed.ptr);
    } else {
        fail(j, "", observed.ptr,
            "one setuid file gives the dropped capabilities back");
    }
}

void judge_traced(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    char buf[128];
    struct text observed = text_over(buf, sizeof(buf));

    if (!p->tracer.known) {
        unknown(j, p->tracer.error, "TracerPid of /proc/self/status");
        return;
    }
    if (p->tracer.value == 0) {
        judge_pass(j, "nobody traces");
        return;
    }
    text_addf(&observed, "traced by process %" PRIu64, p->tracer.value);
    if (p->tracer_name[0] != '\0')
        text_addf(&observed, " (%s)", p->tracer_name);
    fail(j, "", observed.ptr,
        "a tracer reads the keys in memory and changes what the process does");
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
        unknown(j, limit->error, "the hard limit of RLIMIT_NOFILE");
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
        fail(j, "RLIMIT_NOFILE", observed.ptr,
            "connections would be refused long before the declared number");
    }
}

void judge_clock(const struct judgement *j)
{
    uint64_t now = j->facts->now;
    char buf[64];

    (void)text_format(buf, sizeof(buf), "%" PRIu64 " seconds since 1970", now);
    if (now >= SOURCE_DATE) {
        judge_pass(j, buf);
    } else {
        fail(j, "", buf,
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
        fail(j, "", "getrandom would block",
            "keys that are made before the kernel is seeded can be guessed");
    } else {
        unknown(j, entropy->error, "getrandom");
    }
}

void judge_personality(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;
    char buf[64];

    if (!p->personality.known) {
        unknown(j, p->personality.error, "personality");
    } else if ((p->personality.value & NO_RANDOMIZE) != 0) {
        fail(j, "", "personality has ADDR_NO_RANDOMIZE",
            "addresses are the same on every boot, which exploits count on");
    } else {
        judge_pass(j, "addresses are randomized for this process");
    }
    if (!p->randomize_va_space.known) {
        unknown(j, p->randomize_va_space.error,
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
            fail(j, namespace_names[i], buf,
                "the process sees and can signal or share memory with what "
                "runs on the host");
        } else {
            unknown(j, have[i].error, namespace_names[i]);
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
        unknown(j, p->groups_error, "the groups of this process");
    } else if (p->privileged_group.known) {
        (void)text_format(buf, sizeof(buf), "group %" PRIu64 " (%s)",
            p->privileged_group.value, p->group_name);
        fail(j, p->group_name, buf,
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
        unknown(j, p->label_error, "the security module's label");
    } else if (!p->seccomp.known) {
        judge_not_applicable(
            j, "neither a security module nor seccomp in this kernel");
    } else {
        fail(j, "", observed.ptr,
            "nothing outside limits what this process may ask of the kernel");
    }
}

/* What several facts say together. */
enum certainty { NO, PERHAPS, YES };

static enum certainty is(const struct fact_number *fact, uint64_t value)
{
    return !fact->known ? PERHAPS : (fact->value == value ? YES : NO);
}

static enum certainty both(enum certainty a, enum certainty b)
{
    return a < b ? a : b;
}

static enum certainty either(enum certainty a, enum certainty b)
{
    return a > b ? a : b;
}

/* An exec makes a program dumpable again, prctl(2). */
static enum certainty stays_undumpable(const struct judgement *j)
{
    return j->policy->program != NULL ? NO : is(&j->facts->process.dumpable, 0);
}

static enum certainty at_most_1(const struct fact_number *limit)
{
    return either(is(limit, 0), is(limit, 1));
}

/* No file is made below the size of a page.  A program that core_pattern names
 * is fed whatever the limit is but 1, by which the kernel knows a program that
 * was started for a core and crashed itself: fs/coredump.c. */
static enum certainty limit_stops_cores(const struct fact_process *p)
{
    enum certainty file =
        both(at_most_1(&p->core_limit), is(&p->core_sink, FACT_CORE_FILE));
    enum certainty program =
        both(both(is(&p->core_limit, 1), is(&p->core_soft, 1)),
            either(is(&p->core_sink, FACT_CORE_FILE),
                is(&p->core_sink, FACT_CORE_PROGRAM)));

    return either(file, program);
}

static void unknown_core(const struct judgement *j)
{
    const struct fact_process *p = &j->facts->process;

    if (!p->dumpable.known && j->policy->program == NULL) {
        unknown(j, p->dumpable.error, "whether this process is dumpable");
    } else if (!p->core_limit.known) {
        unknown(j, p->core_limit.error, "RLIMIT_CORE");
    } else {
        unknown(j, p->core_sink.error, "/proc/sys/kernel/core_pattern");
    }
}

static void describe_core(const struct judgement *j, struct text *ret)
{
    const struct fact_process *p = &j->facts->process;

    if (stays_undumpable(j) == YES) {
        text_add_str(ret, "not dumpable");
        return;
    }
    text_add_str(ret,
        j->policy->program != NULL ? "the program is dumpable" : "dumpable");
    if (at_most_1(&p->core_limit) != YES) {
        text_add_str(ret, ", RLIMIT_CORE above 1");
    } else if (limit_stops_cores(p) == YES) {
        text_addf(ret, ", RLIMIT_CORE %" PRIu64, p->core_soft.value);
    } else if (is(&p->core_sink, FACT_CORE_SOCKET) == YES) {
        text_add_str(ret, ", and core_pattern sends cores to a socket whatever "
                          "RLIMIT_CORE says");
    } else {
        text_addf(ret,
            ", and core_pattern feeds cores to a program whatever RLIMIT_CORE "
            "says, unless it is 1; it is %" PRIu64,
            p->core_soft.value);
    }
}

void judge_core_dumps(const struct judgement *j)
{
    enum certainty safe =
        either(stays_undumpable(j), limit_stops_cores(&j->facts->process));
    char buf[192];
    struct text observed = text_over(buf, sizeof(buf));

    describe_core(j, &observed);
    if (safe == YES) {
        hold(j, POSTURE_SEALS_NOT_DUMPABLE, observed.ptr);
    } else if (waits_for_seal(j, POSTURE_SEALS_NOT_DUMPABLE)) {
        judge_not_applicable(j, "left to the declared seal");
    } else if (safe == PERHAPS) {
        unknown_core(j);
    } else {
        fail(j, "", observed.ptr,
            "a core dump writes the keys in memory to a disk");
    }
}
