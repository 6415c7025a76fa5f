#include "relay/config.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/host_port.h"
#include "base/num.h"
#include "base/text.h"
#include "relay/limits.h"

enum kind { KIND_TEXT, KIND_BOOL, KIND_COUNT };

/* clang-format off */
static const struct {
    const char *name;
    enum kind kind;
    const char *value; /* how --help names the value */
    const char *initial;
    const char *help;
} flags[] = {
    [CONFIG_DOMAIN] = {"domain", KIND_TEXT, "NAME", "",
        "public host name; certificates come by themselves"},
    [CONFIG_CERT_CACHE] = {"cert-cache", KIND_TEXT, "DIR", "",
        "certificates (default $HOME/.pyrycode-relay/certs)"},
    [CONFIG_INSECURE_LISTEN] = {"insecure-listen", KIND_TEXT, "ADDR", "",
        "plain HTTP on host:port, without TLS"},
    [CONFIG_HTTPS_LISTEN] = {"https-listen", KIND_TEXT, "ADDR", ":443",
        "TLS listener (default :443)"},
    [CONFIG_HTTP_LISTEN] = {"http-listen", KIND_TEXT, "ADDR", ":80",
        "ACME HTTP-01 listener (default :80)"},
    [CONFIG_METRICS_LISTEN] = {"metrics-listen", KIND_TEXT, "ADDR", "127.0.0.1:9090",
        "loopback, or empty (default 127.0.0.1:9090)"},
    [CONFIG_TRUST_X_FORWARDED_FOR] = {"trust-x-forwarded-for", KIND_BOOL, "", "",
        "rate limits by X-Forwarded-For"},
    [CONFIG_HTTPS_PROXY_PROTOCOL] = {"https-proxy-protocol", KIND_BOOL, "", "",
        "TLS connections begin with a PROXY v2 header"},
    [CONFIG_MAX_CONNECTIONS] = {"max-connections", KIND_COUNT, "N", "",
        "WebSocket connections (default: descriptor limit)"},
    [CONFIG_REQUIRE_SEAL] = {"require-seal", KIND_BOOL, "", "",
        "refuse where the kernel cannot seal the process"},
    [CONFIG_VERSION] = {"version", KIND_BOOL, "", "", "print the version and exit"},
    [CONFIG_HELP] = {"help", KIND_BOOL, "", "", "print this and exit"},
};
/* clang-format on */

_Static_assert(ARRAY_LEN(flags) == CONFIG_FLAG_COUNT,
    "every enum config_flag needs a row");

void config_help(FILE *out)
{
    (void)fputs("usage: pyrycode-relay --domain NAME | --insecure-listen ADDR "
                "[flags]\n\n"
                "Relays WebSocket frames between phones and the pyrycode "
                "binary by server-id.\n"
                "Checks its own runtime posture first and refuses to serve "
                "from an insecure one.\n\n",
        out);
    for (size_t i = 0; i < CONFIG_FLAG_COUNT; i++) {
        char left[64];

        (void)text_format(left, sizeof(left), "--%s%s%s", flags[i].name,
            flags[i].value[0] == '\0' ? "" : " ", flags[i].value);
        (void)fprintf(out, "  %-25s %s\n", left, flags[i].help);
    }
    (void)fputs("\nenvironment:\n"
                "  " CONFIG_PRODUCTION "=1       refuse what is insecure\n"
                "  " CONFIG_SINGLE_INSTANCE "=1  only one instance runs\n"
                "  " CONFIG_FCM_CREDENTIALS "    service account, for push\n",
        out);
}

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

static bool set_flag(struct config *c, size_t flag, const char *value)
{
    c->given[flag] = true;
    if (flags[flag].kind == KIND_BOOL)
        return set_bool(c, flag, value);
    c->text[flag] = value;
    return flags[flag].kind == KIND_TEXT || is_integer(value);
}

static size_t find_flag(const char *name, size_t len)
{
    size_t i = 0;

    if (len == 1 && name[0] == 'h')
        return CONFIG_HELP;
    while (i < CONFIG_FLAG_COUNT && (strlen(flags[i].name) != len ||
                                        memcmp(flags[i].name, name, len) != 0))
        i++;
    return i;
}

/* One flag at argv[*at], and its value behind it if it takes one. */
static bool parse_one(
    struct config *c, int argc, char *const argv[], int *at, FILE *err)
{
    const char *word = argv[*at];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    size_t flag = find_flag(name, len);
    const char *value = equals == NULL ? NULL : equals + 1;

    if (flag == CONFIG_FLAG_COUNT) {
        (void)fprintf(err,
            "pyrycode-relay: unknown flag --%.*s; see pyrycode-relay --help\n",
            (int)(len > 64 ? 64 : len), name);
        return false;
    }
    if (value == NULL && flags[flag].kind == KIND_BOOL)
        value = "true";
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL) {
        (void)fprintf(
            err, "pyrycode-relay: --%s needs a value\n", flags[flag].name);
        return false;
    }
    if (set_flag(c, flag, value))
        return true;
    (void)fprintf(err,
        "pyrycode-relay: --%s: invalid value \"%.64s\": want %s\n",
        flags[flag].name, value,
        flags[flag].kind == KIND_BOOL ? "true or false" : "a number");
    return false;
}

static void set_defaults(struct config *c)
{
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */

    *c = (struct config){.problem_count = 0};
    for (size_t i = 0; i < CONFIG_FLAG_COUNT; i++)
        c->text[i] = flags[i].initial;
    if (home == NULL || home[0] == '\0' ||
        !text_format(c->cert_cache, sizeof(c->cert_cache),
            "%s/.pyrycode-relay/certs", home)) {
        (void)text_format(
            c->cert_cache, sizeof(c->cert_cache), ".pyrycode-relay/certs");
    }
    c->text[CONFIG_CERT_CACHE] = c->cert_cache;
}

static void add_problem(struct config *c, const struct config_problem *problem,
    const char *observed)
{
    struct config_problem *to = &c->problems[c->problem_count];

    assert(c->problem_count < CONFIG_PROBLEMS_MAX);
    *to = *problem;
    (void)text_format(to->observed, sizeof(to->observed), "%s", observed);
    c->problem_count++;
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
        add_problem(c, &problem, "neither flag");
}

static void check_exclusive(struct config *c)
{
    static const struct {
        enum config_flag flag;
        const char *key;
    } rivals[] = {
        {CONFIG_HTTP_LISTEN, "--http-listen"},
        {CONFIG_HTTPS_LISTEN, "--https-listen"},
        {CONFIG_HTTPS_PROXY_PROTOCOL, "--https-proxy-protocol"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rivals); i++) {
        struct config_problem problem = {
            .key = rivals[i].key,
            .msg = "refusing to start: --insecure-listen is mutually exclusive "
                   "with --http-listen / --https-listen / "
                   "--https-proxy-protocol",
            .err = "relay: both plain and TLS listeners are configured",
            .expected = "--insecure-listen alone, or the TLS flags without it",
            .fix = "drop --insecure-listen to serve TLS, or drop this flag to "
                   "serve plain HTTP behind a proxy",
        };

        if (c->insecure && c->given[rivals[i].flag])
            add_problem(c, &problem, "given together with --insecure-listen");
    }
}

static void check_cap(struct config *c)
{
    static const struct config_problem problem = {
        .key = "--max-connections",
        .msg = "refusing to start: invalid --max-connections",
        .err = "relay: connection cap must be positive",
        .expected = "a number above 0",
        .fix = "give a positive number, or drop --max-connections for the "
               "default",
    };
    const char *value = c->text[CONFIG_MAX_CONNECTIONS];
    uint64_t count = 0;

    if (!c->given[CONFIG_MAX_CONNECTIONS])
        return;
    if (value[0] == '+')
        value++;
    if (!num_parse_u64(span_str(value), SIZE_MAX, &count) || count == 0) {
        char observed[64];

        (void)text_format(
            observed, sizeof(observed), "max-connections %s", value);
        add_problem(c, &problem, observed);
    }
    c->max_connections = (size_t)count;
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
        add_problem(c, &problem, "\"\"");
}

static void check_listener(
    struct config *c, enum config_flag flag, const char *key)
{
    struct host_port hp;
    enum host_port_status status =
        host_port_parse(span_str(c->text[flag]), &hp);
    struct config_problem problem = {
        .key = key,
        .msg = "refusing to start: invalid listener address",
        .err = host_port_text(status),
        .expected = "HOST:PORT with an IP literal or nothing before the colon "
                    "and a port from 1 to 65535",
        .fix = "give an address such as 127.0.0.1:8080, [::1]:8080 or :8080",
    };

    if (status != HOST_PORT_OK)
        add_problem(c, &problem, c->text[flag]);
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
        add_problem(c, &problem, c->text[CONFIG_METRICS_LISTEN]);
}

static void validate(struct config *c)
{
    check_mode(c);
    check_exclusive(c);
    check_cap(c);
    if (c->insecure) {
        check_listener(c, CONFIG_INSECURE_LISTEN, "--insecure-listen");
    } else if (c->text[CONFIG_DOMAIN][0] != '\0') {
        check_listener(c, CONFIG_HTTPS_LISTEN, "--https-listen");
        check_listener(c, CONFIG_HTTP_LISTEN, "--http-listen");
        check_cert_cache(c);
    }
    check_metrics(c);
}

/* What the hard descriptor limit leaves for connections. */
static size_t default_cap(void)
{
    struct rlimit limit;
    size_t cap = 1024;
    const size_t spare = LIMIT_SPARE_DESCRIPTORS;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < INT_MAX)
        cap = (size_t)limit.rlim_max;
    return cap > 2 * spare ? cap - spare : spare;
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
    if (ret->on[CONFIG_VERSION])
        return CONFIG_SHOW_VERSION;
    ret->insecure = ret->text[CONFIG_INSECURE_LISTEN][0] != '\0';
    ret->max_connections = default_cap();
    validate(ret);
    return CONFIG_RUN;
}
