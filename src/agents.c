#include "agents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/supervisor.h"
#include "base/environment.h"
#include "base/own.h"
#include "outward/clock.h"
#include "push/credentials.h"
#include "push/process.h"
#include "push/sender.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/startup_seal.h"
#include "relay/wake.h"

enum { END_MS = 1000 }; /* they end within milliseconds, or hang */

/* What the relay lets be under way the process takes, and it has given up
 * before the relay does. */
_Static_assert((int)SENDER_JOBS == (int)LIMIT_WAKES, "one job a slot");
_Static_assert(
    (int)PROCESS_WAKE_MS < (int)WAKE_ANSWER_MS, "with time to say so");

/* ---- options ---- */

/* An empty text is none. */
static const char *option(const struct config *config, enum config_flag flag)
{
    return config->text[flag][0] == '\0' ? NULL : config->text[flag];
}

static struct agent_config configure(const struct config *config)
{
    return (struct agent_config){
        .domain = config->text[CONFIG_DOMAIN],
        .email = option(config, CONFIG_ACME_EMAIL),
        .directory_url = config->text[CONFIG_ACME_DIRECTORY],
        .ca_file = option(config, CONFIG_ACME_CA_FILE),
        .user_agent = "pyrycode-relay/" VERSION,
        .directory = -1,
        .may = AGENT_MAY_TLS_ALPN | AGENT_MAY_HTTP,
        .policy = schedule_default_policy(),
    };
}

static void check_one(struct config *config, enum config_flag flag,
    const struct agent_config *agent, struct config_problem problem)
{
    problem.msg = "refusing to start: invalid --acme-email or --acme-directory";
    problem.err = agent_config_fault(agent);
    if (problem.err != NULL)
        config_add_problem(config, &problem, config->text[flag]);
}

void agents_check(struct config *config)
{
    const struct agent_config given = configure(config);
    struct agent_config email = given;
    struct agent_config directory = given;

    if (!config_orders(config))
        return;
    /* One at a time; the domain has been judged already. */
    email.domain = "relay.example.com";
    email.directory_url = "https://ca.example.com/";
    directory.domain = email.domain;
    directory.email = NULL;
    check_one(config, CONFIG_ACME_EMAIL, &email,
        (struct config_problem){
            .key = "--acme-email",
            .expected = "one address, NAME@HOST",
            .fix = "--acme-email ops@example.com, or drop the flag",
        });
    check_one(config, CONFIG_ACME_DIRECTORY, &directory,
        (struct config_problem){
            .key = "--acme-directory",
            .expected = "the https URL of an ACME directory",
            .fix = "--acme-directory https://ca.example.com/directory, or "
                   "drop the flag for Let's Encrypt",
        });
}

/* ---- credentials ---- */

const char *agents_check_credentials(const char *document)
{
    static const char failed[] = "could not be checked";
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return failed;
    if (pid == 0)
        _exit(credentials_check(document) == NULL ? 0 : 1);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return failed;
    }
    if (!WIFEXITED(status))
        return failed;
    return WEXITSTATUS(status) == 0 ? NULL : CREDENTIALS_REFUSED;
}

/* ---- their life ---- */

void agents_init(struct agents *agents)
{
    static const struct agents_process none = {.channel = -1, .process = -1};

    *agents = (struct agents){.certificates = none, .push = none};
}

/* Where the kernel has no such descriptors, nobody waits for its end. */
static void watch(struct agents_process *process)
{
    process->process = (int)syscall(SYS_pidfd_open, process->pid, 0);
}

struct confinement {
    const struct config *config;
};

/* In the supervisor, before the first agent. */
static bool confine_push(void *ctx)
{
    const struct confinement *confinement = ctx;

    return startup_seal_agent(confinement->config, "push", NULL);
}

bool agents_start_push(const struct config *config, struct agents *agents)
{
    struct confinement confinement = {.config = config};
    const struct process_config process = {
        /* nothing else runs yet */
        .credentials = getenv(CONFIG_FCM_CREDENTIALS), /* NOLINT */
        .endpoint = config->text[CONFIG_PUSH_ENDPOINT],
        .ca_file = option(config, CONFIG_PUSH_CA_FILE),
        .user_agent = "pyrycode-relay/" VERSION,
        .confine = confine_push,
        .ctx = &confinement,
    };
    int failed = 0;

    if (process.credentials == NULL) {
        log_write(
            LOG_INFO, "push off: " CONFIG_FCM_CREDENTIALS " unset", NULL, 0);
        return true;
    }
    failed = process_start(&process, &agents->push.channel, &agents->push.pid);
    environment_forget(CONFIG_FCM_CREDENTIALS);
    if (failed != 0) {
        const char *err = strerrordesc_np(-failed);

        LOG(LOG_ERROR, "refusing to start: cannot build the FCM push sender",
            LOG_TEXT(LOG_ERR, err == NULL ? "unknown error" : err));
        return false;
    }
    watch(&agents->push);
    LOG(LOG_INFO, "push on", LOG_TEXT(LOG_ADDR, process.endpoint));
    return true;
}

static bool confine_certificates(void *ctx)
{
    const struct confinement *confinement = ctx;
    const struct config *config = confinement->config;

    return startup_seal_agent(
        config, "certificates", config->text[CONFIG_CERT_CACHE]);
}

static bool fail(const struct config *config, const char *act, int failed)
{
    const char *err = strerrordesc_np(-failed);

    LOG(LOG_ERROR, "autocert setup failed",
        LOG_TEXT(LOG_PATH, config->text[CONFIG_CERT_CACHE]),
        LOG_TEXT(LOG_REASON, act),
        LOG_TEXT(LOG_ERR, err == NULL ? "unknown error" : err));
    return false;
}

bool agents_start_certificates(
    const struct config *config, struct agents *agents)
{
    struct agents_process *process = &agents->certificates;
    struct confinement confinement = {.config = config};
    struct supervisor_config supervisor = {
        .agent = configure(config),
        .confine = confine_certificates,
        .ctx = &confinement,
    };
    CLOSES int directory = -1;
    int failed = 0;

    if (!config_orders(config))
        return true;
    directory = open(config->text[CONFIG_CERT_CACHE],
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return fail(config, "the directory cannot be opened", -errno);
    supervisor.agent.directory = directory;
    failed = supervisor_start(&supervisor, &process->channel, &process->pid);
    if (failed != 0)
        return fail(config, "its agent cannot be started", failed);
    watch(process);
    return true;
}

static void close_channel(struct agents_process *process)
{
    if (process->channel >= 0)
        (void)close(process->channel);
    process->channel = -1;
}

/* Until then. */
static void await_end(struct agents_process *process, uint64_t deadline_ms)
{
    struct pollfd ended = {.fd = process->process, .events = POLLIN};
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;

    if (process->process < 0)
        return;
    if (poll(&ended, 1, (int)left_ms) > 0)
        (void)waitpid(process->pid, NULL, WNOHANG);
    (void)close(process->process);
    process->process = -1;
}

void agents_end(struct agents *agents)
{
    uint64_t deadline_ms = clock_monotonic_ms() + END_MS;

    close_channel(&agents->certificates);
    close_channel(&agents->push);
    await_end(&agents->certificates, deadline_ms);
    await_end(&agents->push, deadline_ms);
}
