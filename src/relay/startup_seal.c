#include "relay/startup_seal.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "posture/seal.h"
#include "relay/log.h"

enum { ALL_PARTS = (1U << SEAL_PART_COUNT) - 1 };

/* A system call that the profile does not have: name it, then die as the
 * kernel would have it.  Async-signal-safe: no allocation, no
 * lock, one write. */
static void on_violation(int sig, siginfo_t *info, void *context)
{
    const char *name = seal_syscall_name(info->si_syscall);

    (void)context;
    LOG(LOG_ERROR, "seal violated: system call refused; ending",
        LOG_TEXT(LOG_SYSCALL, name == NULL ? "unknown" : name),
        LOG_INT(LOG_SYSCALL_NUMBER, info->si_syscall));
    (void)signal(sig, SIG_DFL);
    IGNORE(raise(sig) != 0, "then the next line ends it");
    _exit(128 + sig);
}

static void catch_violations(void)
{
    struct sigaction action = {
        .sa_sigaction = on_violation,
        .sa_flags = SA_SIGINFO | SA_NODEFER,
    };

    (void)sigemptyset(&action.sa_mask);
    IGNORE(sigaction(SIGSYS, &action, NULL) < 0, "it then dies unnamed");
}

static void add_parts(
    const struct seal_report *report, enum seal_state state, struct text *t)
{
    const char *comma = "";

    for (unsigned i = 0; i < SEAL_PART_COUNT; i++) {
        if (report->parts[i].state != state)
            continue;
        text_addf(t, "%s%s", comma, seal_part_name((enum seal_part)i));
        if (report->parts[i].why != NULL)
            text_addf(t, " (%s)", report->parts[i].why);
        if (report->parts[i].error != 0) {
            const char *error = strerrordesc_np(report->parts[i].error);

            text_addf(t, " (%s)", error == NULL ? "unknown error" : error);
        }
        comma = ", ";
    }
}

static void log_whole(const struct seal_report *report, const char *agent)
{
    char enforced[256];
    char before[256];
    struct text now = text_over(enforced, sizeof(enforced));
    struct text held = text_over(before, sizeof(before));

    add_parts(report, SEAL_ENFORCED, &now);
    add_parts(report, SEAL_HELD_BEFORE, &held);
    if (held.len == 0)
        text_add_str(&held, "nothing");
    if (agent == NULL) {
        LOG(LOG_INFO, "sealed", LOG_TEXT(LOG_ENFORCED, now.ptr),
            LOG_TEXT(LOG_HELD_BEFORE, held.ptr),
            LOG_INT(LOG_LANDLOCK_ABI, report->landlock_abi));
    } else {
        LOG(LOG_INFO, "agent sealed", LOG_TEXT(LOG_AGENT, agent),
            LOG_TEXT(LOG_ENFORCED, now.ptr),
            LOG_TEXT(LOG_HELD_BEFORE, held.ptr));
    }
}

static void log_missing(
    const struct seal_report *report, bool required, const char *agent)
{
    char missing[512];
    struct text t = text_over(missing, sizeof(missing));

    add_parts(report, SEAL_MISSING, &t);
    if (agent != NULL) {
        LOG(required ? LOG_ERROR : LOG_WARN, "agent seal incomplete",
            LOG_TEXT(LOG_AGENT, agent), LOG_TEXT(LOG_MISSING, t.ptr));
        return;
    }
    LOG(required ? LOG_ERROR : LOG_WARN,
        required ? "refusing to start: the seal is incomplete"
                 : "seal incomplete",
        LOG_TEXT(LOG_MISSING, t.ptr),
        LOG_TEXT(LOG_FIX,
            "a kernel of 6.7 or later with Landlock (lsm=landlock,...) and "
            "seccomp; see docs/runbook.md"));
}

static bool judge(const struct config *config, const struct seal_plan *plan,
    const char *agent)
{
    bool required = config->on[CONFIG_REQUIRE_SEAL];
    struct seal_report report;

    seal_apply(plan, &report);
    if (seal_is_whole(&report)) {
        log_whole(&report, agent);
        return true;
    }
    log_missing(&report, required, agent);
    return !required;
}

bool startup_seal(const struct config *config)
{
    /* Every socket is bound: no port is needed any more, and no file. */
    const struct seal_plan plan = {
        .parts = ALL_PARTS,
        .profile = SEAL_PROFILE_SERVER,
        .threads = true, /* the workers start behind it */
    };

    catch_violations();
    return judge(config, &plan, NULL);
}

bool startup_seal_agent(
    const struct config *config, const char *agent, const char *directory)
{
    const struct seal_plan plan = {
        .parts = ALL_PARTS,
        .profile = SEAL_PROFILE_CLIENT,
        .writable = &directory,
        .writable_count = directory == NULL ? 0 : 1,
    };

    return judge(config, &plan, agent);
}
