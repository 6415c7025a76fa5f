/*
 * failure: why something with certificates did not work, as the log and the
 * metrics have it.
 */
#pragma once

#include "base/attr.h"
#include "wire/agent_message.h"

struct failure {
    enum agent_failure kind;
    int64_t retry_after_s;         /* the CA's wish, from now; 0: none */
    char text[AGENT_TEXT_MAX + 1]; /* one sentence; may hold the CA's words,
                                      unescaped but whole UTF-8 */
};

/* What does not fit is cut between characters. */
PRINTF_LIKE(3, 4)
NONNULL void failure_set(
    struct failure *failure, enum agent_failure kind, const char *fmt, ...);
