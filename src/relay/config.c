#include "relay/config.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/host_port.h"
#include "base/num.h"
#include "base/text.h"
#include "net/local_socket.h"
#include "relay/config_flags.h"
#include "relay/limits.h"

enum {
    HOST_LABEL_MAX_LEN = 63, /* bytes; RFC 1035 section 2.3.4 */
};

enum { ENDPOINT_MAX_LEN = 300 }; /* of a URL with a host's name and a port */

static const char *const true_words[] = {"1", "t", "T", "true", "TRUE", "True"};
static const char *const false_words[] = {
    "0", "f", "F", "false", "FALSE", "False"};

static bool is_among(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

static bool set_bool(struct config *c, size_t flag, const char *value)
{
    c->on[flag] = is_among(value, true_words, ARRAY_LEN(true_words));
    return c->on[flag] || is_among(value, false_words, ARRAY_LEN(false_words));
}

/* An optional sign and decimal digits; whether the number makes sense is
 * judged later. */
static bool is_integer(const char *value)
{
    uint64_t number = 0;

    if (value[0] == '-' || value[0] == '+')
        value++;
    return num_parse_u64(span_str(value), INT64_MAX, &number);
}

void config_add_problem(struct config *c, const struct config_problem *problem,
    const char *observed)
{
    struct config_problem *to = &c->problems[c->problem_count];

    if (c->problem_count == CONFIG_PROBLEMS_MAX)
        return; /* there is enough to mend */
    *to = *problem;
    (void)text_format(to->observed, sizeof(to->observed), "%s", observed);
    c->problem_count++;
}

/* One block of --trusted-proxy. */
static void add_proxy(struct config *c, const char *value)
{
    struct cidr *to = &c->proxies[c->proxy_count];
    enum cidr_status status = CIDR_OK;
    struct config_problem problem = {
        .key = "--trusted-proxy",
        .msg = "refusing to start: invalid --trusted-proxy",
        .expected = "an IP address or ADDRESS/LENGTH",
        .fix = "give each block of proxies as --trusted-proxy 10.0.0.0/8",
    };

    if (c->proxy_count == CONFIG_PROXIES_MAX) {
        problem.err = "more blocks than this relay takes";
    } else {
        status = cidr_parse(span_str(value), to);
        problem.err = cidr_text(status);
    }
    if (c->proxy_count == CONFIG_PROXIES_MAX || status != CIDR_OK) {
        config_add_problem(c, &problem, value);
    } else {
        c->proxy_count++;
    }
}

static bool set_flag(struct config *c, size_t flag, const char *value)
{
    c->given[flag] = true;
    c->text[flag] = value;
    switch (config_flag_row(flag)->kind) {
    case CONFIG_KIND_BOOL:
        return set_bool(c, flag, value);
    case CONFIG_KIND_COUNT:
        return is_integer(value);
    case CONFIG_KIND_LIST:
        add_proxy(c, value);
        return true;
    case CONFIG_KIND_TEXT:
        break;
    }
    return true;
}

/* One flag at argv[*at], and its value behind it if it takes one. */
static bool parse_one(
    struct config *c, int argc, char *const argv[], int *at, FILE *err)
{
    const char *word = argv[*at];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    size_t flag = config_flag_find(name, len);
    const char *value = equals == NULL ? NULL : equals + 1;

    if (flag == CONFIG_FLAG_COUNT) {
        (void)fprintf(err,
            "pyrycode-relay: unknown flag --%.*s; see pyrycode-relay --help\n",
            (int)(len > 64 ? 64 : len), name);
        return false;
    }
    if (value == NULL && config_flag_row(flag)->kind == CONFIG_KIND_BOOL)
        value = "true";
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL) {
        (void)fprintf(err, "pyrycode-relay: --%s needs a value\n",
            config_flag_row(flag)->name);
        return false;
    }
    if (set_flag(c, flag, value))
        return true;
    (void)fprintf(err,
        "pyrycode-relay: --%s: invalid value \"%.64s\": want %s\n",
        config_flag_row(flag)->name, value,
        config_flag_row(flag)->kind == CONFIG_KIND_BOOL ? "true or false"
                                                        : "a number");
    return false;
}

static void set_defaults(struct config *c)
{
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */

    *c = (struct config){.problem_count = 0};
    for (size_t i = 0; i < CONFIG_FLAG_COUNT; i++)
        c->text[i] = config_flag_row(i)->initial;
    if (home == NULL || home[0] == '\0' ||
        !text_format(c->cert_cache, sizeof(c->cert_cache),
            "%s/.pyrycode-relay/certs", home)) {
        (void)text_format(
            c->cert_cache, sizeof(c->cert_cache), ".pyrycode-relay/certs");
    }
    c->text[CONFIG_CERT_CACHE] = c->cert_cache;
}

/* The flag that it is about. */
static void set_key(struct config_problem *problem, size_t flag)
{
    (void)text_format(problem->key, sizeof(problem->key), "--%s",
        config_flag_row(flag)->name);
}

static void check_mode(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--domain",
        .msg = "either --domain (for autocert) or --insecure-listen (for "
               "behind-proxy mode) must be set",
        .err = "neither is set",
        .expected = "--domain NAME or --insecure-listen HOST:PORT",
        .fix = "pyrycode-relay --domain relay.example.com, or behind a TLS "
               "proxy: --insecure-listen 127.0.0.1:8080",
    };

    if (c->text[CONFIG_DOMAIN][0] == '\0' && !c->insecure)
        config_add_problem(c, &problem, "neither flag");
}

static void check_exclusive(struct config *c)
{
    static const enum config_flag rivals[] = {
        CONFIG_HTTP_LISTEN,
        CONFIG_HTTPS_LISTEN,
        CONFIG_HTTPS_PROXY_PROTOCOL,
    };

    for (size_t i = 0; i < ARRAY_LEN(rivals); i++) {
        struct config_problem problem = {
            .msg = "refusing to start: --insecure-listen is mutually exclusive "
                   "with --http-listen / --https-listen / "
                   "--https-proxy-protocol",
            .err = "relay: both plain and TLS listeners are configured",
            .expected = "--insecure-listen alone, or the TLS flags without it",
            .fix = "drop --insecure-listen to serve TLS, or drop this flag to "
                   "serve plain HTTP behind a proxy",
        };

        set_key(&problem, rivals[i]);
        if (c->insecure && c->given[rivals[i]]) {
            config_add_problem(
                c, &problem, "given together with --insecure-listen");
        }
    }
}

/* What a number may be; the texts outlive the problem. */
static const struct config_problem *number_problem(size_t flag)
{
    static const struct config_problem cap = {
        .key = "--max-connections",
        .msg = "refusing to start: invalid --max-connections",
        .err = "relay: connection cap must be positive",
        .expected = "a number above 0",
        .fix = "give a positive number, or drop --max-connections for the "
               "default",
    };
    static const struct config_problem other = {
        .msg = "refusing to start: invalid limit",
        .err = "relay: number out of range",
        .expected = "a number in the flag's range",
        .fix = "see pyrycode-relay --help-limits; drop the flag for its "
               "default",
    };

    return flag == CONFIG_MAX_CONNECTIONS ? &cap : &other;
}

static void check_number(struct config *c, size_t flag)
{
    const struct config_flag_row *row = config_flag_row(flag);
    const char *value = c->text[flag];
    uint64_t count = 0;

    c->count[flag] = row->count;
    if (!c->given[flag])
        return;
    if (value[0] == '+')
        value++;
    if (!num_parse_u64(span_str(value), UINT64_MAX, &count) ||
        count < row->least || count > row->most) {
        struct config_problem problem = *number_problem(flag);
        char observed[128];

        (void)text_format(
            observed, sizeof(observed), "%s %s", row->name, value);
        set_key(&problem, flag);
        config_add_problem(c, &problem, observed);
    }
    c->count[flag] = count;
}

static void check_numbers(struct config *c)
{
    for (size_t i = 0; i < CONFIG_FLAG_COUNT; i++) {
        if (config_flag_row(i)->kind == CONFIG_KIND_COUNT)
            check_number(c, i);
    }
}

static void check_log_format(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--log-format",
        .msg = "refusing to start: invalid --log-format",
        .err = "no such format",
        .expected = "text or json",
        .fix = "--log-format=text or --log-format=json",
    };
    const char *format = c->text[CONFIG_LOG_FORMAT];

    c->log_json = strcmp(format, "json") == 0;
    if (!c->log_json && strcmp(format, "text") != 0)
        config_add_problem(c, &problem, format);
}

/* One name with a dot, as certificates and SNI have it: RFC 1123 section 2.1,
 * RFC 6066 section 3.  It also names a file in --cert-cache. */
static bool is_host_name(struct span name)
{
    bool dotted = false;
    size_t label = 0;

    if (name.len > CONFIG_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool is_end = i + 1 == name.len || name.ptr[i + 1] == '.';

        if (c == '.' && label == 0)
            return false;
        dotted = dotted || c == '.';
        label = c == '.' ? 0 : label + 1;
        if (label > HOST_LABEL_MAX_LEN ||
            (c == '-' && (label == 1 || is_end)) ||
            (c != '.' && c != '-' && !isalnum(c)))
            return false;
    }
    return dotted && label > 0;
}

/* As certificates and files have it. */
static void copy_lower(char ret[CONFIG_DOMAIN_MAX + 1], const char *name)
{
    size_t len = strlen(name);

    assert(len <= CONFIG_DOMAIN_MAX);
    for (size_t i = 0; i < len; i++) {
        bool is_capital = name[i] >= 'A' && name[i] <= 'Z';

        ret[i] = (char)(is_capital ? name[i] - 'A' + 'a' : name[i]);
    }
    ret[len] = '\0';
}

static void check_domain(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--domain",
        .msg = "refusing to start: invalid --domain",
        .err = "no certificate can be had for it",
        .expected = "a host name with a dot, in ASCII",
        .fix = "--domain relay.example.com; a name with other letters in its "
               "xn-- form; no port, no trailing dot",
    };

    if (!is_host_name(span_str(c->text[CONFIG_DOMAIN]))) {
        config_add_problem(c, &problem, c->text[CONFIG_DOMAIN]);
        return;
    }
    copy_lower(c->domain, c->text[CONFIG_DOMAIN]);
    c->text[CONFIG_DOMAIN] = c->domain;
}

/* Both files or none, and only where TLS is served. */
static void check_certificate(struct config *c)
{
    bool has_cert = c->text[CONFIG_TLS_CERT][0] != '\0';
    bool has_key = c->text[CONFIG_TLS_KEY][0] != '\0';
    struct config_problem problem = {
        .msg = "refusing to start: invalid --tls-cert or --tls-key",
        .expected = "--domain, --tls-cert and --tls-key together, or none of "
                    "the two files",
        .fix = "--domain relay.example.com --tls-cert chain.pem --tls-key "
               "key.pem",
    };

    set_key(&problem, has_cert ? CONFIG_TLS_CERT : CONFIG_TLS_KEY);
    if (has_cert != has_key) {
        problem.err = "one of the two files is missing";
        config_add_problem(
            c, &problem, has_cert ? "no --tls-key" : "no --tls-cert");
    } else if (has_cert && c->insecure) {
        problem.err = "no TLS is served with --insecure-listen";
        config_add_problem(
            c, &problem, "given together with --insecure-listen");
    }
    c->has_certificate = has_cert && has_key && !c->insecure;
}

/* A flag that would be of no effect is a mistake. */
static void check_acme(struct config *c)
{
    static const enum config_flag flags[] = {
        CONFIG_ACME_EMAIL, CONFIG_ACME_DIRECTORY, CONFIG_ACME_CA_FILE};
    struct config_problem problem = {
        .msg = "refusing to start: no certificate is ordered",
        .err = "nothing is asked of a CA with --tls-cert or --insecure-listen",
        .expected = "--domain, without --tls-cert and --insecure-listen",
        .fix = "drop this flag, or the other one",
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        set_key(&problem, flags[i]);
        if (c->given[flags[i]] && (c->insecure || c->has_certificate))
            config_add_problem(c, &problem, c->text[flags[i]]);
    }
}

/* An empty path would be the working directory, or none at all. */
static void check_cert_cache(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--cert-cache",
        .msg = "refusing to start: invalid --cert-cache",
        .err = "--cert-cache is empty",
        .expected = "a directory",
        .fix = "give a directory, or drop --cert-cache for "
               "$HOME/.pyrycode-relay/certs",
    };

    if (c->text[CONFIG_CERT_CACHE][0] == '\0')
        config_add_problem(c, &problem, "\"\"");
}

static void check_listener(struct config *c, enum config_flag flag)
{
    struct host_port hp;
    enum host_port_status status =
        host_port_parse(span_str(c->text[flag]), &hp);
    struct config_problem problem = {
        .msg = "refusing to start: invalid listener address",
        .err = host_port_text(status),
        .expected = "HOST:PORT with an IP literal or nothing before the colon "
                    "and a port from 1 to 65535",
        .fix = "give an address such as 127.0.0.1:8080, [::1]:8080 or :8080",
    };

    set_key(&problem, flag);
    if (status != HOST_PORT_OK)
        config_add_problem(c, &problem, c->text[flag]);
}

static void check_metrics(struct config *c)
{
    struct host_port hp;
    enum host_port_status status =
        host_port_parse(span_str(c->text[CONFIG_METRICS_LISTEN]), &hp);
    static const struct config_problem problem = {
        .key = "--metrics-listen",
        .msg = "refusing to start: invalid --metrics-listen address",
        .err = "relay: metrics listener bind address must be a loopback IP "
               "literal",
        .expected = "a loopback IP literal and a port, or nothing",
        .fix =
            "--metrics-listen=127.0.0.1:9090 or --metrics-listen=[::1]:9090; "
            "--metrics-listen= turns metrics off",
    };

    if (c->text[CONFIG_METRICS_LISTEN][0] == '\0')
        return;
    if (status != HOST_PORT_OK || !host_port_is_loopback(&hp))
        config_add_problem(c, &problem, c->text[CONFIG_METRICS_LISTEN]);
}

static void check_take_over(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--take-over",
        .msg = "refusing to start: invalid --take-over",
        .err = "no socket can be there",
        .expected = "an absolute path of at most 107 bytes that ends in a name",
        .fix = "--take-over /run/pyrycode-relay/take-over",
    };
    const char *path = c->text[CONFIG_TAKE_OVER];

    if (c->given[CONFIG_TAKE_OVER] && !local_socket_is_path(path))
        config_add_problem(c, &problem, path);
}

/* https://HOST or https://HOST:PORT, and nothing behind it. */
static bool is_endpoint(const char *url)
{
    static const char scheme[] = "https://";
    size_t start = sizeof(scheme) - 1;
    size_t len = strlen(url);

    if (len <= start || len > ENDPOINT_MAX_LEN ||
        memcmp(url, scheme, start) != 0)
        return false;
    for (size_t i = start; i < len; i++) {
        if (!isalnum((unsigned char)url[i]) && strchr(".-:[]", url[i]) == NULL)
            return false;
    }
    return true;
}

static void check_push(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--push-endpoint",
        .msg = "refusing to start: invalid --push-endpoint",
        .err = "wakes cannot be sent there",
        .expected = "https://HOST or https://HOST:PORT",
        .fix = "--push-endpoint https://push.example.com, or drop it for "
               "Google's",
    };

    if (!is_endpoint(c->text[CONFIG_PUSH_ENDPOINT]))
        config_add_problem(c, &problem, c->text[CONFIG_PUSH_ENDPOINT]);
}

static void validate(struct config *c)
{
    check_mode(c);
    check_exclusive(c);
    check_numbers(c);
    check_log_format(c);
    if (c->insecure) {
        check_listener(c, CONFIG_INSECURE_LISTEN);
    } else if (c->text[CONFIG_DOMAIN][0] != '\0') {
        check_domain(c);
        check_listener(c, CONFIG_HTTPS_LISTEN);
        check_listener(c, CONFIG_HTTP_LISTEN);
        check_cert_cache(c);
    }
    check_certificate(c);
    check_acme(c);
    check_metrics(c);
    check_take_over(c);
    check_push(c);
}

uint64_t config_descriptors(const struct config *config)
{
    return config->count[CONFIG_MAX_CONNECTIONS] +
           config->count[CONFIG_MAX_PENDING] +
           (config->insecure
                   ? 0
                   : config->count[CONFIG_MAX_HANDSHAKES] + LIMIT_VALIDATIONS) +
           LIMIT_SPARE_DESCRIPTORS +
           config->count[CONFIG_THREADS] * LIMIT_WORKER_DESCRIPTORS;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* All but an eighth: neither kind keeps the other out. */
static uint64_t share_of_kind(const struct config *c)
{
    uint64_t all = c->count[CONFIG_MAX_CONNECTIONS];

    return all - all / 8;
}

static void set_default(struct config *c, enum config_flag flag, uint64_t value)
{
    if (!c->given[flag])
        c->count[flag] = value;
}

/* What depends on the machine, where no flag says it. */
static void fit_machine(struct config *c)
{
    struct capacity_facts facts;
    uint64_t memory = 0;
    uint64_t waiting = 0;

    capacity_read("/proc/self", &facts);
    c->threads = capacity_threads(&facts);
    set_default(c, CONFIG_THREADS, least(c->threads.value, LIMIT_THREADS));
    waiting = facts.descriptors / 16 < 16 ? 16 : facts.descriptors / 16;
    set_default(c, CONFIG_MAX_PENDING, least(waiting, LIMIT_PENDING));
    set_default(c, CONFIG_MAX_HANDSHAKES, least(waiting, LIMIT_HANDSHAKES));
    c->connections = capacity_connections(&facts,
        config_descriptors(c) - c->count[CONFIG_MAX_CONNECTIONS],
        c->insecure ? CAPACITY_CONNECTION_BYTES
                    : CAPACITY_TLS_CONNECTION_BYTES);
    set_default(c, CONFIG_MAX_CONNECTIONS, c->connections.value);
    set_default(c, CONFIG_MAX_BINARIES, share_of_kind(c));
    set_default(c, CONFIG_MAX_PHONES, share_of_kind(c));
    memory = least(facts.memory_cgroup, facts.memory_total);
    set_default(c, CONFIG_MAX_QUEUED,
        memory / 4 < LIMIT_QUEUED_LEAST ? LIMIT_QUEUED_LEAST : memory / 4);
}

enum config_outcome config_parse(
    struct config *ret, int argc, char *const argv[], FILE *err)
{
    set_defaults(ret);
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] != '-' || strcmp(argv[at], "-") == 0 ||
            strcmp(argv[at], "--") == 0)
            break;
        if (!parse_one(ret, argc, argv, &at, err))
            return CONFIG_BAD_USAGE;
    }
    if (ret->on[CONFIG_HELP])
        return CONFIG_SHOW_HELP;
    if (ret->on[CONFIG_HELP_CERTIFICATES])
        return CONFIG_SHOW_HELP_CERTIFICATES;
    if (ret->on[CONFIG_HELP_LIMITS])
        return CONFIG_SHOW_HELP_LIMITS;
    if (ret->on[CONFIG_VERSION])
        return CONFIG_SHOW_VERSION;
    if (ret->on[CONFIG_HEALTHCHECK])
        return CONFIG_ASK_HEALTH;
    ret->insecure = ret->text[CONFIG_INSECURE_LISTEN][0] != '\0';
    validate(ret);
    fit_machine(ret);
    return CONFIG_RUN;
}
