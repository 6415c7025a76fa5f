#include "relay/startup_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/state_dir.h"

/* What the contract calls a failure of the first sentinels, and their errors'
 * texts; the others speak for themselves by their reason. */
static const struct {
    const char *what;
    const char *err;
    enum log_key variable_key;
    const char *variable;
} sentinels[] = {
    [POSTURE_ERR_INVALID_CONFIG] = {"invalid env-var config",
        "relay: invalid env-var config", LOG_ENV_VAR, NULL},
    [POSTURE_ERR_RUNNING_AS_ROOT] = {"production-mode misconfiguration",
        "relay: effective uid is 0 with " CONFIG_PRODUCTION
        "=1; refusing to start",
        LOG_ENV_VAR, CONFIG_PRODUCTION},
    [POSTURE_ERR_UNEXPECTED_CAPABILITY] = {"unexpected Linux capabilities",
        "relay: process has unexpected effective Linux capabilities",
        LOG_ENV_VAR, NULL},
    [POSTURE_ERR_CACHE_DIR_INSECURE] = {"insecure cert cache dir",
        "relay: cert cache dir has insecure permissions (must be 0700)",
        LOG_FLAG, "--cert-cache"},
    [POSTURE_ERR_INSECURE_LISTEN_IN_PRODUCTION] =
        {"production-mode misconfiguration",
            "relay: --insecure-listen is set with " CONFIG_PRODUCTION
            "=1; refusing to start",
            LOG_ENV_VAR, CONFIG_PRODUCTION},
    [POSTURE_ERR_UNEXPECTED_LISTENER] = {"unexpected listener",
        "relay: process holds or is about to bind a socket outside the "
        "expected set",
        LOG_FLAG, NULL},
    [POSTURE_ERR_MULTI_INSTANCE_DEPLOY_DETECTED] =
        {"multi-instance deploy detected",
            "relay: multi-instance deploy detected; set " CONFIG_SINGLE_INSTANCE
            "=1 to bypass",
            LOG_BYPASS_ENV_VAR, CONFIG_SINGLE_INSTANCE},
};

bool startup_lock_path(const struct config *config, char *ret, size_t cap)
{
    return text_format(
        ret, cap, "%s/" STATE_DIR_LOCK, config->text[CONFIG_CERT_CACHE]);
}

/* ---- options to policy ---- */

static int add_variables(
    const struct startup *startup, struct posture_policy *policy)
{
    const struct posture_variable variables[] = {
        {
            .name = CONFIG_SINGLE_INSTANCE,
            .shape = POSTURE_SHAPE_FLAG,
        },
        {
            .name = CONFIG_FCM_CREDENTIALS,
            .secret = true,
            .check = startup->check_credentials,
            .fix = "set " CONFIG_FCM_CREDENTIALS
                   " to the whole service-account JSON document, or unset it",
        },
    };
    int failed = posture_policy_set_mode_variable(policy, CONFIG_PRODUCTION);

    for (size_t i = 0; i < ARRAY_LEN(variables) && failed == 0; i++)
        failed = posture_policy_add_variable(policy, &variables[i]);
    return failed;
}

static int add_problems(
    const struct config *config, struct posture_policy *policy)
{
    int failed = 0;

    for (size_t i = 0; i < config->problem_count && failed == 0; i++) {
        const struct config_problem *problem = &config->problems[i];

        failed = posture_policy_add_problem(
            policy, &(struct posture_problem){
                        .key = problem->key,
                        .observed = problem->observed,
                        .expected = problem->expected,
                        .reason = problem->err,
                        .fix = problem->fix,
                    });
    }
    return failed;
}

/* A malformed address is a problem of the configuration, and refused there. */
static int ignore_malformed(int failed)
{
    return failed == -EINVAL ? 0 : failed;
}

/* So many of that address; one while nothing is bound. */
static int expect_sockets(struct posture_policy *policy, const char *address,
    const char *label, size_t count)
{
    int failed = 0;

    for (size_t i = 0; i < (count == 0 ? 1 : count) && failed == 0; i++) {
        failed = ignore_malformed(
            posture_policy_expect_listener(policy, address, label));
    }
    return failed;
}

static int add_listeners(
    const struct startup *startup, struct posture_policy *policy)
{
    const struct config *config = startup->config;
    size_t sockets = startup->public_sockets;
    static const struct {
        const char *label;
        enum config_flag flag;
        bool insecure; /* opened in that mode */
        bool secure;
        bool shared; /* by the workers, a socket for each */
    } listeners[] = {
        {"--insecure-listen", CONFIG_INSECURE_LISTEN, true, false, true},
        {"--https-listen", CONFIG_HTTPS_LISTEN, false, true, true},
        {"--http-listen", CONFIG_HTTP_LISTEN, false, true, false},
        {"--metrics-listen", CONFIG_METRICS_LISTEN, true, true, false},
    };
    int failed = 0;

    for (size_t i = 0; i < ARRAY_LEN(listeners) && failed == 0; i++) {
        const char *address = config->text[listeners[i].flag];

        if ((config->insecure ? listeners[i].insecure : listeners[i].secure) &&
            address[0] != '\0') {
            failed = expect_sockets(policy, address, listeners[i].label,
                listeners[i].shared ? sockets : 1);
        }
    }
    return failed;
}

/* The socket by which another process takes over. */
static int add_take_over(
    const struct config *config, struct posture_policy *policy)
{
    static const char label[] = "--take-over";
    char address[STARTUP_PATH_MAX];
    int failed = 0;

    if (!config->given[CONFIG_TAKE_OVER])
        return 0;
    (void)text_format(
        address, sizeof(address), "unix:%s", config->text[CONFIG_TAKE_OVER]);
    failed = posture_policy_expect_listener(policy, address, label);
    if (failed == 0)
        failed = posture_policy_plan_listener(policy, address, label);
    return ignore_malformed(failed);
}

/* Asked of the code that binds, so that the two lists are compared. */
static int add_planned(
    const struct config *config, struct posture_policy *policy)
{
    struct relay_plan plan[RELAY_LISTENERS];
    size_t count = relay_plan(config, plan);
    int failed = add_take_over(config, policy);

    for (size_t i = 0; i < count && failed == 0; i++) {
        failed = ignore_malformed(posture_policy_plan_listener(
            policy, plan[i].address, plan[i].label));
    }
    return failed;
}

static int add_mode(
    const struct startup *startup, struct posture_policy *policy)
{
    const struct config *config = startup->config;
    char lock[STARTUP_PATH_MAX];
    int failed = 0;

    if (config->insecure) {
        posture_policy_set_mode(policy, POSTURE_MODE_DEVELOPMENT);
        failed = posture_policy_set_single_instance(
            policy, CONFIG_SINGLE_INSTANCE, NULL);
        if (failed != 0)
            return failed;
        return posture_policy_set_plaintext_listener(
            policy, "--insecure-listen", config->text[CONFIG_INSECURE_LISTEN]);
    }
    posture_policy_set_mode(policy, POSTURE_MODE_PUBLIC);
    if (config->has_certificate) {
        /* Nothing is kept in the directory of certificates then. */
        failed = posture_policy_add_key_file(
            policy, config->text[CONFIG_TLS_KEY], "--tls-key");
        if (failed != 0)
            return failed;
        return posture_policy_set_single_instance(
            policy, CONFIG_SINGLE_INSTANCE, NULL);
    }
    /* An empty path is a problem of the configuration, and said there. */
    if (config->text[CONFIG_DOMAIN][0] == '\0' ||
        config->text[CONFIG_CERT_CACHE][0] == '\0') {
        return posture_policy_set_single_instance(
            policy, CONFIG_SINGLE_INSTANCE, NULL);
    }
    failed =
        posture_policy_set_cert_cache(policy, config->text[CONFIG_CERT_CACHE]);
    if (failed != 0)
        return failed;
    return posture_policy_set_single_instance(policy, CONFIG_SINGLE_INSTANCE,
        !startup->lock_is_ours && startup_lock_path(config, lock, sizeof(lock))
            ? lock
            : NULL);
}

static int add_descriptors(
    const struct config *config, struct posture_policy *policy)
{
    char why[160];
    uint64_t needed = config_descriptors(config);
    size_t connections = config_count(config, CONFIG_MAX_CONNECTIONS);
    size_t pending = config_count(config, CONFIG_MAX_PENDING);

    (void)text_format(why, sizeof(why),
        "%zu connections, %zu before their upgrade, and %zu for handshakes, "
        "workers, listeners and log",
        connections, pending, (size_t)needed - connections - pending);
    return posture_policy_set_descriptors(policy, needed, why);
}

static int fill_policy(
    const struct startup *startup, struct posture_policy *policy)
{
    const struct config *config = startup->config;
    int failed = add_variables(startup, policy);

    if (failed == 0)
        failed = add_problems(config, policy);
    if (failed == 0)
        failed = add_listeners(startup, policy);
    if (failed == 0)
        failed = add_planned(config, policy);
    if (failed == 0)
        failed = add_mode(startup, policy);
    if (failed == 0)
        failed = add_descriptors(config, policy);
    if (startup->inherited != NULL && startup->inherited->count > 0)
        posture_policy_allow_activation(policy);
    posture_policy_declare_seal(
        policy, POSTURE_SEALS_NO_NEW_PRIVS | POSTURE_SEALS_NOT_DUMPABLE);
    return failed;
}

/* ---- findings to log lines ---- */

static const struct config_problem *find_problem(
    const struct config *config, const char *key)
{
    for (size_t i = 0; i < config->problem_count; i++) {
        if (strcmp(config->problems[i].key, key) == 0)
            return &config->problems[i];
    }
    return NULL;
}

/* Fields of one line, at most that many. */
struct line {
    struct log_field fields[16];
    size_t count;
    char port[16]; /* text of one of them */
};

static void add(struct line *line, enum log_key key, const char *value)
{
    if (value[0] == '\0' || line->count == ARRAY_LEN(line->fields))
        return;
    line->fields[line->count++] = LOG_TEXT(key, value);
}

/* The variable or the flag that the finding is about. */
static void add_subject(struct line *line, const struct posture_finding *f,
    const struct config_problem *problem)
{
    if (problem != NULL) {
        add(line, LOG_FLAG, f->object);
        add(line, LOG_VALUE, f->observed);
        if (strstr(problem->msg, "listener address") != NULL)
            add(line, LOG_ADDR, f->observed);
    } else if (f->error == POSTURE_ERR_INVALID_CONFIG) {
        add(line, LOG_ENV_VAR, f->object);
        add(line, LOG_REASON, f->reason);
    } else if (f->error == POSTURE_ERR_MULTI_INSTANCE_DEPLOY_DETECTED &&
               strcmp(f->object, CONFIG_SINGLE_INSTANCE) != 0) {
        add(line, LOG_PATH, f->object); /* the lock; no variable helps */
    } else if (f->error < ARRAY_LEN(sentinels) &&
               sentinels[f->error].variable != NULL) {
        add(line, sentinels[f->error].variable_key,
            sentinels[f->error].variable);
    }
    if (f->error == POSTURE_ERR_CACHE_DIR_INSECURE)
        add(line, LOG_PATH, f->object);
}

/* The contract's texts name one case of a failure each; a text that does not
 * say what was found is not used. */
static bool contract_text_fits(const struct posture_finding *f)
{
    if (f->action != POSTURE_ACTION_REFUSE || f->verdict != POSTURE_FAIL)
        return false;
    if (f->error == POSTURE_ERR_RUNNING_AS_ROOT)
        return strstr(f->observed, "effective=0") != NULL;
    if (f->error == POSTURE_ERR_UNEXPECTED_CAPABILITY)
        return strncmp(f->observed, "effective:", 10) == 0;
    if (f->error == POSTURE_ERR_CACHE_DIR_INSECURE)
        return strstr(f->expected, "0700") != NULL;
    if (f->error == POSTURE_ERR_MULTI_INSTANCE_DEPLOY_DETECTED)
        return strcmp(f->object, CONFIG_SINGLE_INSTANCE) == 0;
    return f->error < ARRAY_LEN(sentinels);
}

/* The port of an address, as the contract's list of one. */
static void add_port(struct line *line, const char *address)
{
    const char *colon = strrchr(address, ':');
    uint64_t port = 0;

    if (colon == NULL ||
        !num_parse_u64(
            span_of(colon + 1, strspn(colon + 1, "0123456789")), 65535, &port))
        return;
    (void)text_format(line->port, sizeof(line->port), "[%u]", (unsigned)port);
    add(line, LOG_UNEXPECTED_PORTS, line->port);
}

static void describe(const struct posture_finding *f,
    const struct config_problem *problem, struct text *ret)
{
    text_add_str(ret, f->sentinel);
    text_add_str(ret, ": ");
    if (problem != NULL) {
        text_addf(ret, "%s: %s", problem->err, f->observed);
        return;
    }
    text_add_str(
        ret, contract_text_fits(f) ? sentinels[f->error].err : "relay");
    if (f->error == POSTURE_ERR_INVALID_CONFIG)
        text_addf(ret, ": %s", f->object);
    if (f->reason[0] != '\0')
        text_addf(ret, ": %s", f->reason);
}

struct count {
    size_t n;  /* of this line */
    size_t of; /* lines of the same action */
};

static void log_finding(const struct config *config,
    const struct posture_finding *f, struct count count)
{
    const struct config_problem *problem =
        f->error == POSTURE_ERR_INVALID_CONFIG ? find_problem(config, f->object)
                                               : NULL;
    bool refused = f->action == POSTURE_ACTION_REFUSE;
    char msg[256];
    char err[1024];
    char n[32];
    struct text reason = text_over(err, sizeof(err));
    struct line line = {.count = 0};

    if (problem != NULL) {
        (void)text_format(msg, sizeof(msg), "%s", problem->msg);
    } else {
        /* The contract's texts are those of refusals. */
        (void)text_format(msg, sizeof(msg), "%s: %s",
            refused ? "refusing to start" : "insecure posture",
            refused && f->error < ARRAY_LEN(sentinels)
                ? sentinels[f->error].what
                : f->reason);
    }
    describe(f, problem, &reason);
    (void)text_format(n, sizeof(n), "%zu of %zu", count.n, count.of);
    add(&line, LOG_N, n);
    add(&line, LOG_CHECK, f->id);
    add(&line, LOG_ERR, err);
    add_subject(&line, f, problem);
    if (f->error == POSTURE_ERR_UNEXPECTED_LISTENER)
        add_port(&line, f->object);
    if (f->error == POSTURE_ERR_RUNNING_AS_ROOT &&
        strstr(f->observed, "effective=0") != NULL)
        add(&line, LOG_EFFECTIVE_UID, "0");
    if (f->verdict == POSTURE_UNKNOWN)
        add(&line, LOG_VERDICT, posture_verdict_name(f->verdict));
    add(&line, LOG_OBSERVED, f->observed);
    add(&line, LOG_EXPECTED, f->expected);
    add(&line, LOG_FIX, f->fix);
    add(&line, LOG_IMPACT, f->impact);
    add(&line, LOG_RUNBOOK, f->runbook);
    log_write(refused ? LOG_ERROR : LOG_WARN, msg, line.fields, line.count);
}

static void log_findings(const struct config *config,
    const struct posture_report *report, enum posture_action action)
{
    struct count count = {.of = posture_report_actions(report, action)};

    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (f->action != action)
            continue;
        count.n++;
        log_finding(config, f, count);
    }
}

static void log_summary(const struct posture_report *report)
{
    size_t failed = posture_report_actions(report, POSTURE_ACTION_REFUSE);
    size_t warned = posture_report_actions(report, POSTURE_ACTION_WARN);
    const char *mode = posture_mode_name(posture_report_mode(report));

    if (failed > 0) {
        LOG(LOG_ERROR,
            "refusing to start: the posture check failed; fix the lines above",
            LOG_TEXT(LOG_MODE, mode), LOG_INT(LOG_FAILED, (int64_t)failed),
            LOG_INT(LOG_WARNINGS, (int64_t)warned));
    } else if (warned > 0) {
        LOG(LOG_WARN, "posture check passed with warnings",
            LOG_TEXT(LOG_MODE, mode), LOG_INT(LOG_WARNINGS, (int64_t)warned));
    }
}

static bool act_on(const struct config *config,
    const struct posture_report *report, enum posture_phase phase)
{
    const char *notice = posture_report_notice(report);

    if (notice != NULL && phase == POSTURE_PHASE_BOOT)
        log_write(LOG_WARN, notice, NULL, 0);
    log_findings(config, report, POSTURE_ACTION_WARN);
    log_findings(config, report, POSTURE_ACTION_REFUSE);
    log_summary(report);
    return posture_report_action(report) != POSTURE_ACTION_REFUSE;
}

/* NULL: out of memory, and that was logged. */
static struct posture_report *examine(
    const struct startup *startup, enum posture_phase phase)
{
    struct posture_policy *policy = posture_policy_new();
    struct posture_report *report = NULL;

    if (policy == NULL || fill_policy(startup, policy) != 0 ||
        posture_check(policy, phase, 0, &report) != 0) {
        log_write(LOG_ERROR,
            "refusing to start: out of memory in the posture check", NULL, 0);
    }
    posture_policy_free(policy);
    return report;
}

bool startup_check(struct startup *startup, enum posture_phase phase)
{
    struct posture_report *report = examine(startup, phase);
    bool go_on = report != NULL && act_on(startup->config, report, phase);

    if (report != NULL)
        posture_record_add(&startup->record, report);
    return go_on;
}

bool startup_check_again(const struct startup *startup)
{
    struct posture_report *report = examine(startup, POSTURE_PHASE_BOOT);
    bool go_on = report != NULL &&
                 posture_report_action(report) != POSTURE_ACTION_REFUSE;

    if (report != NULL && !go_on) {
        log_findings(startup->config, report, POSTURE_ACTION_REFUSE);
        log_summary(report);
    }
    posture_report_free(report);
    return go_on;
}
