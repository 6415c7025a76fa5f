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

#define CONFIG_PRODUCTION      "PYRYCODE_RELAY_PRODUCTION"
#define CONFIG_SINGLE_INSTANCE "PYRYCODE_RELAY_SINGLE_INSTANCE"
#define CONFIG_FCM_CREDENTIALS "PYRYCODE_RELAY_FCM_CREDENTIALS"

enum config_flag {
    CONFIG_DOMAIN,
    CONFIG_CERT_CACHE,
    CONFIG_INSECURE_LISTEN,
    CONFIG_HTTPS_LISTEN,
    CONFIG_HTTP_LISTEN,
    CONFIG_METRICS_LISTEN,
    CONFIG_TRUST_X_FORWARDED_FOR,
    CONFIG_HTTPS_PROXY_PROTOCOL,
    CONFIG_MAX_CONNECTIONS,
    CONFIG_REQUIRE_SEAL,
    CONFIG_VERSION,
    CONFIG_HELP,
    CONFIG_FLAG_COUNT
};

/* Something wrong with the options: what the log says of it. */
struct config_problem {
    const char *key; /* the flag; unique among the problems */
    const char *msg; /* the log line's event */
    const char *err;
    const char *expected;
    const char *fix;
    char observed[256];
};

enum { CONFIG_PROBLEMS_MAX = 8 };

struct config {
    const char *text[CONFIG_FLAG_COUNT]; /* string flags; never NULL */
    bool on[CONFIG_FLAG_COUNT];          /* boolean flags */
    bool given[CONFIG_FLAG_COUNT];       /* on the command line */
    size_t max_connections;
    bool insecure;         /* --insecure-listen decides the mode */
    char cert_cache[1024]; /* the default of --cert-cache */
    struct config_problem problems[CONFIG_PROBLEMS_MAX];
    size_t problem_count;
};

enum config_outcome {
    CONFIG_RUN,
    CONFIG_SHOW_VERSION,
    CONFIG_SHOW_HELP,
    CONFIG_BAD_USAGE, /* one line about it was written to err */
};

/*
 * Parse and validate.  argv and the environment outlive the config.  What is
 * wrong with values that parse is collected in problems, all of it.
 */
MUST_CHECK NONNULL enum config_outcome config_parse(
    struct config *ret, int argc, char *const argv[], FILE *err);

/* Fits a screen of 80 by 24. */
NONNULL void config_help(FILE *out);
