/*
 * seal_calls: which system calls a sealed process keeps, in tables.
 *
 * The server's came from tracing the end-to-end suite; each row says who makes
 * the call.  A number below 0 is a call that this architecture does not have
 * (libseccomp's pseudo numbers).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct seal_call {
    int number;
    const char *why;
};

/* A call that is kept with some values of its first or second argument. */
struct seal_option_call {
    int number;
    unsigned argument;
    uint64_t value;
    const char *why;
};

struct seal_calls {
    const struct seal_call *list;
    size_t count;
};

/* SEAL_PROFILE_SERVER: kept. */
extern const struct seal_calls seal_server_kept;
/* The same, refused with EPERM rather than a signal: the probes ask for these,
 * and a library that tries one goes on without. */
extern const struct seal_calls seal_server_denied;
/* Kept in addition where threads may be started. */
extern const struct seal_calls seal_thread_kept;
/* SEAL_PROFILE_PROGRAM: refused with EPERM; all others are kept. */
extern const struct seal_calls seal_program_denied;
/* SEAL_PROFILE_CLIENT: refused in addition. */
extern const struct seal_calls seal_client_denied;

struct seal_option_calls {
    const struct seal_option_call *list;
    size_t count;
};

/* SEAL_PROFILE_SERVER: kept, and refused with EPERM; with other values they
 * raise SIGSYS. */
extern const struct seal_option_calls seal_server_options_kept;
extern const struct seal_option_calls seal_server_options_denied;
