/*
 * healthcheck: the relay asks a running one, on this machine, how it is.
 *
 * A client of /healthz for `HEALTHCHECK` of an image that has nothing else in
 * it.  It opens one connection and no file, and needs no privilege.
 */
#pragma once

#include <stdio.h>

#include "relay/config.h"

enum healthcheck {
    HEALTHCHECK_FINE = 0,
    HEALTHCHECK_SICK = 1,   /* no answer in time, or another than 200 */
    HEALTHCHECK_CANNOT = 2, /* nothing there speaks plain HTTP */
};

/*
 * Ask the relay with these options: where its metrics listener is, or else its
 * listener for plain HTTP.  One line to out; the result is the exit status.
 */
MUST_CHECK NONNULL enum healthcheck healthcheck(
    const struct config *config, FILE *out);
