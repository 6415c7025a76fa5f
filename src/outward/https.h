/*
 * https: what holds for every request that leaves this machine.
 *
 * https only, TLS 1.2 at least, certificates always verified (against ca_file
 * alone, if given); no redirect is followed, no proxy is taken from the
 * environment, no signal is used.  See libcurl-easy(3).
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct https_options {
    const char *ca_file; /* PEM; NULL: the system's */
    const char *user_agent;
    long connect_ms; /* until the connection stands */
    long total_ms;   /* until the answer is whole */
};

/* False: out of memory. */
MUST_CHECK NONNULL bool https_set(
    CURL *curl, const struct https_options *options);

/* The only field of that name in the last response, or "". */
NONNULL const char *https_field(CURL *curl, const char *name);

/* The Retry-After of the last response (RFC 9110 section 10.2.3) in seconds
 * from now, at most max_s; -1: none. */
NONNULL int64_t https_retry_after(CURL *curl, int64_t max_s);
