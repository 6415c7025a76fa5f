/*
 * sd_listen: the sockets that a service manager hands over, sd_listen_fds(3):
 * LISTEN_FDS descriptors from 3 on, for the process LISTEN_PID, with names
 * between colons in LISTEN_FDNAMES.  Speaks the protocol itself; the variables
 * are left as they are, since the posture check reads them again.
 */
#pragma once

#include <sys/types.h>

#include "net/inherited.h"

enum { SD_LISTEN_FIRST = 3 }; /* SD_LISTEN_FDS_START */

struct sd_listen_variables {
    const char *pid;   /* LISTEN_PID; NULL: unset, as the others */
    const char *fds;   /* LISTEN_FDS */
    const char *names; /* LISTEN_FDNAMES; unset: none has a name */
};

NONNULL struct sd_listen_variables sd_listen_environment(void);

/*
 * Add what was handed to the process self.  0, also where nothing was;
 * -EINVAL: LISTEN_FDS is no number; -ENFILE: more than the table takes;
 * -EPROTO: there are more or fewer names than sockets.  The table then has
 * none of them.
 */
MUST_CHECK NONNULL int sd_listen(const struct sd_listen_variables *variables,
    pid_t self, struct inherited *ret);
