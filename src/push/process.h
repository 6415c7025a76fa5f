/*
 * process: the push process, which sends wakes to FCM for the relay.
 *
 * It holds the Google key and the right to connect out; the relay, which
 * serves strangers, has neither.  They talk by wire/push_message.  It logs
 * nothing itself, and ends when the relay's end of the channel is closed.
 *
 * What the relay can rely on:
 * - the first message is PUSH_STARTED; each PUSH_SEND after it is answered by
 *   one PUSH_RESULT, unless the process dies;
 * - then comes PUSH_DIED, and what was not answered never will be;
 * - after PUSH_STOP comes a PUSH_RESULT for everything under way, and the end.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

enum {
    /* from a wake to its result, at most: the time for retries, and then an
     * access token and two sends, each with its own limit, and their waits */
    PROCESS_WAKE_MS = 80000,
};

struct process_config {
    const char *credentials; /* the document; credentials_check() took it */
    const char *endpoint;    /* https://host[:port] */
    const char *ca_file;     /* what to trust its TLS by; NULL: the system's */
    const char *user_agent;
    /* See struct supervised. */
    bool (*confine)(void *ctx);
    void *ctx;
};

/*
 * Fork the supervisor of a push process, as supervised_start() does: *ret_fd
 * is the relay's end of the channel, *ret_pid the supervisor.  0 or -errno.
 */
MUST_CHECK NONNULL int process_start(
    const struct process_config *config, int *ret_fd, pid_t *ret_pid);
