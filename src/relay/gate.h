/* gate: which headers admit a binary or a phone.  Pure. */
#pragma once

#include "wire/http_head.h"

enum gate_route {
    GATE_UNKNOWN,
    GATE_HEALTHZ,
    GATE_READYZ,
    GATE_METRICS,
    GATE_PAGE,
    GATE_STATUS,
    GATE_SERVER,
    GATE_CLIENT,
};

NONNULL enum gate_route gate_route(const struct http_head *head);

/* Does the Host, without a port, name that domain?  Case folded. */
NONNULL bool gate_is_host(const struct http_head *head, const char *domain);

/* Bounds of what a peer names, in bytes; limits.h has the defaults. */
struct gate_limits {
    size_t server_id_max;   /* a longer one is refused */
    size_t device_name_max; /* a longer one is cut: it is for the log only */
};

/* name, text for the log */
#define GATE_VERDICT_LIST(X)                                                   \
    X(GATE_ADMITTED, "admitted")                                               \
    X(GATE_HEADER_MISSING, "a required header is missing or empty")            \
    X(GATE_ID_TOO_LONG, "the server-id is too long")                           \
    X(GATE_ID_NO_TEXT, "the server-id is not UTF-8 without control "           \
                       "characters")

enum gate_verdict {
#define X(name, text) name,
    GATE_VERDICT_LIST(X)
#undef X
};

enum {
    GATE_VERDICT_COUNT = GATE_ID_NO_TEXT + 1, /* for counters by verdict */
};

struct gate_admission {
    struct span server_id;
    struct span version;     /* a binary's */
    struct span device_name; /* a phone's; may be empty, or hold anything that
                                a header may: whoever shows it escapes it */
    bool device_name_cut;    /* it was longer */
};

/*
 * Judge the headers of an upgrade; route is GATE_SERVER or GATE_CLIENT.  The
 * server-id becomes part of JSON strings and of connection names, so it must
 * be UTF-8 without control characters; whoever shows it escapes the rest.
 * *ret is written if it is admitted.
 */
MUST_CHECK NONNULL enum gate_verdict gate_judge(const struct http_head *head,
    enum gate_route route, const struct gate_limits *limits,
    struct gate_admission *ret);

/* What is wrong, for a person. */
const char *gate_verdict_text(enum gate_verdict verdict);
