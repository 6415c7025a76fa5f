/*
 * startup_check: the relay's side of the posture check.
 *
 * It maps the relay's options to a policy, runs the check, and logs one line
 * for each finding that asks for something: the line is the runbook.
 */
#pragma once

#include "net/inherited.h"
#include "posture/posture.h"
#include "relay/config.h"
#include "relay/posture_record.h"

struct taker;

struct startup {
    const struct config *config;
    /* Sockets of the public address, once it is bound; 0: not bound yet. */
    size_t public_sockets;
    struct inherited *inherited; /* not bound by us; NULL: none */
    struct taker *taker;         /* of --take-over; NULL: not given */
    /* Who holds the instance lock is no other instance, but hands it over;
     * else we find it held when we take it. */
    bool lock_is_ours;
    /* Judges the push credentials; see push/credentials.h. */
    const char *(*check_credentials)(const char *document);
    struct posture_record record; /* what the phases so far have found */
};

/*
 * Check this process in that phase.  True: go on.  False: refused, and every
 * reason was logged.
 */
MUST_CHECK NONNULL bool startup_check(
    struct startup *startup, enum posture_phase phase);

/*
 * Phase boot once more, after the certificate directory was made: what was
 * missing then is judged now.  Only what refuses is logged; the first time
 * said the rest.
 */
MUST_CHECK NONNULL bool startup_check_again(const struct startup *startup);

enum { STARTUP_PATH_MAX = 2048 }; /* bytes of a path that we put together */

/* Where the lock of a running instance is, next to its certificates; false if
 * the path is too long. */
MUST_CHECK NONNULL bool startup_lock_path(
    const struct config *config, char *ret, size_t cap);
