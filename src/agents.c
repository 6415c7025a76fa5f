#include "agents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/supervisor.h"
#include "base/environment.h"
#include "base/own.h"
#include "push/credentials.h"
#include "relay/log.h"
#include "relay/startup_seal.h"

enum { END_MS = 1000 }; /* an agent ends within milliseconds, or hangs */

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

struct confinement {
    const struct config *config;
};

/* In the supervisor, before the first agent. */
static bool confine(void *ctx)
{
    const struct confinement *confinement = ctx;
    const struct config *config = confinement->config;

    environment_forget(CONFIG_FCM_CREDENTIALS);
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

bool agents_start(const struct config *config, struct agents *ret)
{
    struct confinement confinement = {.config = config};
    struct supervisor_config supervisor = {
        .agent = configure(config),
        .confine = confine,
        .ctx = &confinement,
    };
    CLOSES int directory = -1;
    int failed = 0;

    *ret = (struct agents){.channel = -1, .process = -1};
    if (!config_orders(config))
        return true;
    directory = open(config->text[CONFIG_CERT_CACHE],
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return fail(config, "the directory cannot be opened", -errno);
    supervisor.agent.directory = directory;
    failed = supervisor_start(&supervisor, &ret->channel, &ret->pid);
    if (failed != 0)
        return fail(config, "its agent cannot be started", failed);
    /* Where the kernel has none, nobody waits for its end. */
    ret->process = (int)syscall(SYS_pidfd_open, ret->pid, 0);
    return true;
}

void agents_end(struct agents *agents)
{
    struct pollfd ended = {.fd = agents->process, .events = POLLIN};

    if (agents->channel >= 0)
        (void)close(agents->channel);
    agents->channel = -1;
    if (agents->process < 0)
        return;
    if (poll(&ended, 1, END_MS) > 0)
        (void)waitpid(agents->pid, NULL, WNOHANG);
    (void)close(agents->process);
    agents->process = -1;
}
