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
#include "base/own.h"
#include "net/local_socket.h"
#include "relay/activation.h"
#include "relay/agent_link.h"
#include "relay/certificate_files.h"
#include "relay/config.h"
#include "relay/healthcheck.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/startup_check.h"
#include "relay/startup_seal.h"
#include "relay/state_dir.h"
#include "relay/taker.h"

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

/* Everything that listens; what was handed over and is not asked for any more
 * is not held. */
static bool open_listeners(const struct startup *startup, struct relay *relay)
{
    if (!relay_bind(relay)) {
        log_write(LOG_ERROR, "listener error; draining", NULL, 0);
        return false;
    }
    if (relay->taker == NULL)
        return true;
    if (taker_is_second(relay->taker)) {
        inherited_close(startup->inherited);
        taker_drop_lock(relay->taker);
    }
    return taker_listen(relay->taker);
}

static int serve(struct startup *startup, struct relay *relay)
{
    int failed = 0;

    if (!open_listeners(startup, relay))
        return EXIT_RUNTIME;
    startup->public_sockets = relay_public_sockets(relay);
    if (!startup_check(startup, POSTURE_PHASE_BOUND))
        return EXIT_REFUSED;
    if (relay->instance_lock >= 0)
        IGNORE(state_dir_sign(relay->instance_lock) != 0, "it is for people");
    if (!startup_seal(startup->config) ||
        !startup_check(startup, POSTURE_PHASE_SEALED))
        return EXIT_REFUSED;
    relay->record = &startup->record;
    relay->mode =
        posture_mode_name(posture_report_mode(startup->record.reports[0]));
    failed = relay_serve(relay);
    if (failed != 0 && failed != -ECANCELED)
        log_write(LOG_ERROR, "listener error; draining", NULL, 0);
    return failed == 0 ? EXIT_SUCCESS : EXIT_RUNTIME;
}

/* Before the seal, which lets nothing be connected. */
static void find_manager(struct relay *relay)
{
    const struct sd_notify_variables given = sd_notify_environment();
    int failed = sd_notify_open(&given, getpid(), &relay->manager);
    const char *why = strerrordesc_np(-failed);

    if (failed == 0)
        return;
    LOG(LOG_WARN, "the service manager cannot be told",
        LOG_TEXT(LOG_PATH, given.socket),
        LOG_TEXT(LOG_ERR, why == NULL ? "unknown error" : why));
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

/* What the relay is given, and what outlives it. */
struct held {
    struct agents agents;
    int lock; /* of the instance; -1: it needs none */
};

static int run_relay(
    struct startup *startup, struct log *log, struct held *held)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    int status = EXIT_RUNTIME;

    if (relay == NULL || relay_init(relay, startup->config) != 0) {
        log_write(LOG_ERROR, "cannot start: out of memory", NULL, 0);
    } else {
        relay->log = log;
        relay->inherited = startup->inherited;
        relay->taker = startup->taker;
        relay->instance_lock = held->lock;
        find_manager(relay);
        if (open_push(relay, &held->agents) &&
            find_certificates(relay, &held->agents))
            status = serve(startup, relay);
        relay_done(relay);
    }
    free(relay);
    return status;
}

/* What is handed over, now that we have passed and hold nothing yet. */
static bool receive(const struct startup *startup)
{
    return startup->taker == NULL ||
           taker_receive(startup->taker, startup->config, startup->inherited);
}

/* The lock that was handed over, if it is that of our directory. */
static bool adopt_lock(
    const struct startup *startup, const char *path, int *ret_lock)
{
    struct taker *taker = startup->taker;

    if (taker == NULL || taker->lock < 0 ||
        state_dir_adopt(path, taker->lock) != 0)
        return false;
    *ret_lock = take_fd(&taker->lock);
    return true;
}

static int run(struct startup *startup, struct log *log, int lock)
{
    const struct config *config = startup->config;
    struct held held = {.lock = lock};
    int status = EXIT_RUNTIME;

    agents_init(&held.agents);
    if (!agents_start_push(config, &held.agents))
        return EXIT_REFUSED;
    log_starting(config);
    log_capacity(config);
    if (agents_start_certificates(config, &held.agents))
        status = run_relay(startup, log, &held);
    agents_end(&held.agents);
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
    if (!receive(startup))
        return EXIT_RUNTIME;
    if (!adopt_lock(startup, path, &lock))
        failed = state_dir_lock(path, &lock);
    if (failed != 0)
        return state_dir_failed(startup->config, failed);
    status = run(startup, log, lock);
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

/* Whoever is taken over from is asked before the check, which knows it then,
 * and hands over nothing before we have passed. */
static int boot(struct startup *startup, struct log *log)
{
    struct taker *taker = startup->taker;

    if (taker != NULL && !taker_ask(taker))
        return EXIT_RUNTIME;
    startup->lock_is_ours = taker != NULL && taker_is_second(taker);
    if (!startup_check(startup, POSTURE_PHASE_BOOT))
        return EXIT_REFUSED;
    raise_descriptor_limit(startup->config);
    if (!startup->config->insecure && !startup->config->has_certificate)
        return run_with_state(startup, log);
    return receive(startup) ? run(startup, log, -1) : EXIT_RUNTIME;
}

/* NULL: --take-over is not given, or refused by the check. */
static struct taker *choose_taker(
    const struct config *config, struct taker *taker)
{
    const char *path = config->text[CONFIG_TAKE_OVER];

    *taker = taker_over(path);
    return local_socket_is_path(path) ? taker : NULL;
}

int main(int argc, char *argv[])
{
    static struct config config;
    static struct inherited inherited;
    static struct log log;
    struct taker taker;
    struct startup startup = {
        .config = &config,
        .check_credentials = agents_check_credentials,
        .inherited = &inherited,
    };
    int status = EXIT_SUCCESS;

    /* A reader of the log that is gone ends no connection. */
    (void)signal(SIGPIPE, SIG_IGN);
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
    case CONFIG_ASK_HEALTH:
        return (int)healthcheck(&config, stdout);
    case CONFIG_BAD_USAGE:
        return EXIT_REFUSED;
    case CONFIG_RUN:
        break;
    }
    activation_read(&config, &inherited);
    agents_check(&config);
    start_log(&log, &config);
    startup.taker = choose_taker(&config, &taker);
    status = boot(&startup, &log);
    taker_done(&taker);
    posture_record_done(&startup.record);
    inherited_close(&inherited);
    return status;
}
