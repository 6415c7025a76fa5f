/*
 * sd_notify: tells a service manager how we are, sd_notify(3): one datagram a
 * message, to the unix socket that NOTIFY_SOCKET names.
 *
 * Speaks the protocol itself.  The socket is connected at boot, so that a
 * sealed process, which can neither open nor connect one, only sends.  A
 * manager that does not listen costs its message and no time.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct sd_notify_variables {
    const char *socket;        /* NOTIFY_SOCKET; NULL: unset, as the others */
    const char *watchdog_usec; /* WATCHDOG_USEC */
    const char *watchdog_pid;  /* WATCHDOG_PID; unset: whoever reads it */
};

struct sd_notify {
    int fd; /* -1: nobody wants to know */
    /* A sign of life is due every so many milliseconds; 0: none is wanted. */
    uint64_t watchdog_ms;
    uint64_t fed_ms; /* when the last one was sent; the caller's clock */
};

NONNULL struct sd_notify_variables sd_notify_environment(void);

/*
 * Connect; without NOTIFY_SOCKET there is nobody to tell, and that is 0.
 * -errno; -EINVAL: neither an absolute path nor an abstract name, or one too
 * long; a number of the watchdog that is none.  *ret is usable in each case.
 */
MUST_CHECK NONNULL int sd_notify_open(
    const struct sd_notify_variables *variables, pid_t self,
    struct sd_notify *ret);

/* Send one message of lines like "READY=1"; nothing where nobody is told.
 * 0 or -errno. */
NONNULL int sd_notify_send(const struct sd_notify *n, const char *message);

/* Send a sign of life if one is due; half of the time that the manager waits
 * goes by between two. */
NONNULL void sd_notify_feed(struct sd_notify *n, uint64_t now_ms);

NONNULL void sd_notify_close(struct sd_notify *n);
