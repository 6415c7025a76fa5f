/*
 * The relay's boot, top to bottom: options, posture, bind, verify, serve,
 * drain.  The only place that knows every service.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agents.h"
#include "relay/agent_link.h"
#include "relay/certificate_files.h"
#include "relay/config.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/startup_check.h"
#include "relay/startup_seal.h"
#include "relay/state_dir.h"

enum {
    EXIT_RUNTIME = 1, /* a listener or the certificate store failed */
    EXIT_REFUSED = 2, /* bad options, or the posture check */
};

/* As many descriptors as the budgets may take, as far as the hard limit
 * goes. */
static void raise_descriptor_limit(const struct config *config)
{
    struct rlimit limit;
    rlim_t needed = config_descriptors(config);

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
    IGNORE(setrlimit(RLIMIT_NOFILE, &limit) < 0, "the soft limit then stays");
}

static int state_dir_failed(const struct config *config, int failed)
{
    const char *err = failed == -EBADF ? STATE_DIR_LOCK
                          " is not a regular file of ours"
                                       : strerrordesc_np(-failed);

    LOG(LOG_ERROR, "autocert setup failed",
        LOG_TEXT(LOG_PATH, config->text[CONFIG_CERT_CACHE]),
        LOG_TEXT(LOG_ERR, err == NULL ? "unknown error" : err));
    return EXIT_RUNTIME;
}

static int serve(struct startup *startup, struct relay *relay)
{
    if (!relay_bind(relay)) {
        log_write(LOG_ERROR, "listener error; draining", NULL, 0);
        return EXIT_RUNTIME;
    }
    startup->public_sockets = relay_public_sockets(relay);
    if (!startup_check(startup, POSTURE_PHASE_BOUND))
        return EXIT_REFUSED;
    if (!startup_seal(startup->config) ||
        !startup_check(startup, POSTURE_PHASE_SEALED))
        return EXIT_REFUSED;
    relay->record = &startup->record;
    relay->mode =
        posture_mode_name(posture_report_mode(startup->record.reports[0]));
    if (relay_serve(relay) != 0) {
        log_write(LOG_ERROR, "listener error; draining", NULL, 0);
        return EXIT_RUNTIME;
    }
    return EXIT_SUCCESS;
}

/* What the machine allows, and why. */
static void log_capacity(const struct config *config)
{
    LOG(LOG_INFO, "worker threads",
        LOG_INT(LOG_VALUE, (int64_t)config->count[CONFIG_THREADS]),
        LOG_TEXT(LOG_REASON, config->given[CONFIG_THREADS]
                                 ? "--threads"
                                 : config->threads.reason));
    LOG(LOG_INFO, "connection budget",
        LOG_INT(LOG_VALUE, (int64_t)config->count[CONFIG_MAX_CONNECTIONS]),
        LOG_TEXT(LOG_REASON, config->given[CONFIG_MAX_CONNECTIONS]
                                 ? "--max-connections"
                                 : config->connections.reason));
}

static void log_starting(const struct config *config)
{
    const char *const *text = config->text;
    const char *proxy =
        config->on[CONFIG_HTTPS_PROXY_PROTOCOL] ? "true" : "false";

    if (config->insecure) {
        LOG(LOG_INFO, "starting", LOG_TEXT(LOG_VERSION, VERSION),
            LOG_TEXT(LOG_MODE, "insecure"),
            LOG_TEXT(LOG_LISTEN, text[CONFIG_INSECURE_LISTEN]));
    } else if (config->has_certificate) {
        LOG(LOG_INFO, "starting", LOG_TEXT(LOG_VERSION, VERSION),
            LOG_TEXT(LOG_MODE, "tls-files"),
            LOG_TEXT(LOG_DOMAIN, text[CONFIG_DOMAIN]),
            LOG_TEXT(LOG_PATH, text[CONFIG_TLS_CERT]),
            LOG_TEXT(LOG_HTTPS_PROXY_PROTOCOL, proxy));
    } else {
        LOG(LOG_INFO, "starting", LOG_TEXT(LOG_VERSION, VERSION),
            LOG_TEXT(LOG_MODE, "autocert"),
            LOG_TEXT(LOG_DOMAIN, text[CONFIG_DOMAIN]),
            LOG_TEXT(LOG_CERT_CACHE, text[CONFIG_CERT_CACHE]),
            LOG_TEXT(LOG_HTTPS_PROXY_PROTOCOL, proxy));
    }
}

/* Where TLS has its certificates from: files, or an agent. */
static bool find_certificates(struct relay *relay, struct agents *agents)
{
    if (relay->domain != NULL && !certificate_files_load(relay))
        return false;
    if (agents->certificates.channel < 0)
        return true;
    if (agent_link_open(relay, agents->certificates.channel) != 0) {
        log_write(LOG_ERROR, "cannot start: out of memory", NULL, 0);
        return false;
    }
    agents->certificates.channel = -1;
    return true;
}

/* The relay hears and tells the push process from now on. */
static bool open_push(struct relay *relay, struct agents *agents)
{
    if (agents->push.channel < 0)
        return true;
    if (wake_open(relay, agents->push.channel) != 0) {
        log_write(LOG_ERROR, "cannot start: out of memory", NULL, 0);
        return false;
    }
    agents->push.channel = -1;
    return true;
}

static int run_relay(
    struct startup *startup, struct log *log, struct agents *agents)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    int status = EXIT_RUNTIME;

    if (relay == NULL || relay_init(relay, startup->config) != 0) {
        log_write(LOG_ERROR, "cannot start: out of memory", NULL, 0);
    } else {
        relay->log = log;
        if (open_push(relay, agents) && find_certificates(relay, agents))
            status = serve(startup, relay);
        relay_done(relay);
    }
    free(relay);
    return status;
}

static int run(struct startup *startup, struct log *log)
{
    const struct config *config = startup->config;
    struct agents agents;
    int status = EXIT_RUNTIME;

    agents_init(&agents);
    if (!agents_start_push(config, &agents))
        return EXIT_REFUSED;
    log_starting(config);
    log_capacity(config);
    if (agents_start_certificates(config, &agents))
        status = run_relay(startup, log, &agents);
    agents_end(&agents);
    return status;
}

/* The certificate directory and its lock, which is held while we serve. */
static int run_with_state(struct startup *startup, struct log *log)
{
    const char *path = startup->config->text[CONFIG_CERT_CACHE];
    int lock = -1;
    int status = EXIT_RUNTIME;
    int failed = state_dir_make(path);

    if (failed != 0)
        return state_dir_failed(startup->config, failed);
    /* The check found nothing there; somebody else may have been faster. */
    if (!startup_check_again(startup))
        return EXIT_REFUSED;
    failed = state_dir_lock(path, &lock);
    if (failed != 0)
        return state_dir_failed(startup->config, failed);
    status = run(startup, log);
    (void)close(lock);
    return status;
}

/* Where the lines go and how; without memory for it, as they did so far. */
static void start_log(struct log *log, const struct config *config)
{
    if (log_init(log, config->log_json ? LOG_AS_JSON : LOG_AS_TEXT,
            STDERR_FILENO) == 0)
        log_install(log);
}

static int boot(struct startup *startup, struct log *log)
{
    if (!startup_check(startup, POSTURE_PHASE_BOOT))
        return EXIT_REFUSED;
    raise_descriptor_limit(startup->config);
    if (startup->config->insecure || startup->config->has_certificate)
        return run(startup, log);
    return run_with_state(startup, log);
}

int main(int argc, char *argv[])
{
    static struct config config;
    static struct log log;
    struct startup startup = {
        .config = &config,
        .check_credentials = agents_check_credentials,
    };
    int status = EXIT_SUCCESS;

    switch (config_parse(&config, argc, argv, stderr)) {
    case CONFIG_SHOW_HELP:
        config_help(stdout);
        return EXIT_SUCCESS;
    case CONFIG_SHOW_HELP_CERTIFICATES:
        config_help_certificates(stdout);
        return EXIT_SUCCESS;
    case CONFIG_SHOW_HELP_LIMITS:
        config_help_limits(stdout);
        return EXIT_SUCCESS;
    case CONFIG_SHOW_VERSION:
        (void)puts(VERSION);
        return EXIT_SUCCESS;
    case CONFIG_BAD_USAGE:
        return EXIT_REFUSED;
    case CONFIG_RUN:
        break;
    }
    agents_check(&config);
    start_log(&log, &config);
    status = boot(&startup, &log);
    posture_record_done(&startup.record);
    return status;
}
