/*
 * config: flags and variables, from one table.
 *
 * Flags follow the Go convention: -name and --name are the same, -name=value
 * and -name value, booleans take a value after = only, parsing stops at the
 * first word that is no flag or at --.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/cidr.h"
#include "relay/capacity.h"

#define CONFIG_PRODUCTION      "PYRYCODE_RELAY_PRODUCTION"
#define CONFIG_SINGLE_INSTANCE "PYRYCODE_RELAY_SINGLE_INSTANCE"
#define CONFIG_FCM_CREDENTIALS "PYRYCODE_RELAY_FCM_CREDENTIALS"

enum config_flag {
    CONFIG_DOMAIN,
    CONFIG_INSECURE_LISTEN,
    CONFIG_HTTPS_LISTEN,
    CONFIG_HTTP_LISTEN,
    CONFIG_METRICS_LISTEN,
    CONFIG_TRUST_X_FORWARDED_FOR,
    CONFIG_HTTPS_PROXY_PROTOCOL,
    CONFIG_TRUSTED_PROXY,
    CONFIG_LOG_FORMAT,
    CONFIG_REQUIRE_SEAL,
    CONFIG_TAKE_OVER,
    CONFIG_HEALTHCHECK,
    CONFIG_VERSION,
    CONFIG_HELP,
    CONFIG_HELP_CERTIFICATES,
    CONFIG_HELP_LIMITS,
    /* certificates, on a page of their own */
    CONFIG_CERT_CACHE,
    CONFIG_TLS_CERT,
    CONFIG_TLS_KEY,
    CONFIG_ACME_EMAIL,
    CONFIG_ACME_DIRECTORY,
    CONFIG_ACME_CA_FILE,
    CONFIG_PUSH_ENDPOINT,
    CONFIG_PUSH_CA_FILE,
    /* limits, likewise */
    CONFIG_THREADS,
    CONFIG_MAX_CONNECTIONS,
    CONFIG_MAX_BINARIES,
    CONFIG_MAX_PHONES,
    CONFIG_MAX_PENDING,
    CONFIG_MAX_HANDSHAKES,
    CONFIG_MAX_CONNECTIONS_PER_ADDRESS,
    CONFIG_MAX_PENDING_PER_ADDRESS,
    CONFIG_UPGRADE_BURST,
    CONFIG_UPGRADE_INTERVAL,
    CONFIG_MAX_BYTES_PER_SECOND,
    CONFIG_MAX_HEAD_BYTES,
    CONFIG_MAX_HEAD_FIELDS,
    CONFIG_MAX_SERVER_ID_BYTES,
    CONFIG_MAX_DEVICE_NAME_BYTES,
    CONFIG_MAX_PHONES_PER_SERVER,
    CONFIG_MAX_QUEUED_PER_PHONE,
    CONFIG_MAX_QUEUED_PER_SERVER,
    CONFIG_MAX_QUEUED,
    CONFIG_DRAIN_SECONDS,
    CONFIG_MAX_WAKES_PER_SECOND,
    CONFIG_FLAG_COUNT,
    CONFIG_FIRST_CERTIFICATE = CONFIG_CERT_CACHE,
    CONFIG_FIRST_LIMIT = CONFIG_THREADS,
};

/* Something wrong with the options: what the log says of it. */
struct config_problem {
    char key[48];    /* the flag; unique among the problems */
    const char *msg; /* the log line's event */
    const char *err;
    const char *expected;
    const char *fix;
    char observed[256];
};

enum {
    CONFIG_PROBLEMS_MAX = 64,
    CONFIG_PROXIES_MAX = 64, /* blocks of --trusted-proxy */
    CONFIG_DOMAIN_MAX = 253, /* bytes; RFC 1035 section 2.3.4 */
};

struct config {
    const char *text[CONFIG_FLAG_COUNT]; /* string flags; never NULL */
    bool on[CONFIG_FLAG_COUNT];          /* boolean flags */
    bool given[CONFIG_FLAG_COUNT];       /* on the command line */
    uint64_t count[CONFIG_FLAG_COUNT];   /* those that take a number */
    struct cidr proxies[CONFIG_PROXIES_MAX];
    size_t proxy_count;
    struct capacity threads;     /* why the default of --threads */
    struct capacity connections; /* why that of --max-connections */
    bool log_json;
    bool insecure;         /* --insecure-listen decides the mode */
    bool has_certificate;  /* --tls-cert and --tls-key are given and used */
    char cert_cache[1024]; /* the default of --cert-cache */
    char domain[CONFIG_DOMAIN_MAX + 1]; /* --domain in lower case */
    struct config_problem problems[CONFIG_PROBLEMS_MAX];
    size_t problem_count;
};

enum config_outcome {
    CONFIG_RUN,
    CONFIG_SHOW_VERSION,
    CONFIG_SHOW_HELP,
    CONFIG_SHOW_HELP_CERTIFICATES,
    CONFIG_SHOW_HELP_LIMITS,
    CONFIG_ASK_HEALTH,
    CONFIG_BAD_USAGE, /* one line about it was written to err */
};

/*
 * Parse and validate.  argv and the environment outlive the config.  What is
 * wrong with values that parse is collected in problems, all of it.
 */
MUST_CHECK NONNULL enum config_outcome config_parse(
    struct config *ret, int argc, char *const argv[], FILE *err);

/* One more thing that is wrong, found by who knows more of it; after
 * config_parse(), before the posture check. */
NONNULL void config_add_problem(struct config *config,
    const struct config_problem *problem, const char *observed);

/* Are certificates ordered from a CA? */
NONNULL static inline bool config_orders(const struct config *config)
{
    return !config->insecure && !config->has_certificate &&
           config->text[CONFIG_DOMAIN][0] != '\0';
}

/* Each fits a screen of 80 by 24. */
NONNULL void config_help(FILE *out);
NONNULL void config_help_certificates(FILE *out);
NONNULL void config_help_limits(FILE *out);

/* The value of a flag that takes a number, or its default. */
NONNULL static inline size_t config_count(
    const struct config *config, enum config_flag flag)
{
    return (size_t)config->count[flag];
}

/* Descriptors that a relay with this configuration may need. */
NONNULL uint64_t config_descriptors(const struct config *config);
