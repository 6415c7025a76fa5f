/* gate: which headers admit a binary or a phone.  Pure. */
#pragma once

#include "wire/http_head.h"

enum gate_route {
    GATE_UNKNOWN,
    GATE_HEALTHZ,
    GATE_METRICS,
    GATE_SERVER,
    GATE_CLIENT,
};

NONNULL enum gate_route gate_route(const struct http_head *head);

struct gate_admission {
    struct span server_id;
    struct span version;     /* a binary's */
    struct span device_name; /* a phone's; may be empty */
};

/* False: a required header is missing, empty, too long or not UTF-8. */
MUST_CHECK NONNULL bool gate_admit(const struct http_head *head,
    enum gate_route route, struct gate_admission *ret);
