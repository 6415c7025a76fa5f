/* reply: HTTP responses, each followed by the end of the connection. */
#pragma once

#include "relay/conn.h"

struct reply {
    unsigned code;
    const char *content_type; /* NULL: text/plain */
    const char *extra; /* further header lines, each with CRLF; or NULL */
    struct span body;
    bool head_only; /* answer to HEAD: the length, not the body */
};

NONNULL void reply_send(struct conn *c, const struct reply *reply);

/* The stock answer of a status: its body is a short text and a newline. */
void reply_error(struct conn *c, unsigned code, const char *extra);
