/*
 * metrics: counters of one relay and their Prometheus text (exposition format
 * 0.0.4).  Label values are constants; no peer's text ever becomes one.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"

/* enumerator, series */
#define METRIC_LIST(X)                                                         \
    X(METRIC_PHONE_TO_BINARY,                                                  \
        "frames_forwarded_total{direction=\"phone_to_binary\"}")               \
    X(METRIC_BINARY_TO_PHONE,                                                  \
        "frames_forwarded_total{direction=\"binary_to_phone\"}")               \
    X(METRIC_GRACE_EXPIRIES, "grace_expiries_total")                           \
    X(METRIC_SERVER_ACCEPT,                                                    \
        "ws_upgrade_attempts_total{endpoint=\"server\",outcome=\"accept\"}")   \
    X(METRIC_SERVER_HEADERS, "ws_upgrade_attempts_total{endpoint="             \
                             "\"server\",outcome=\"reject_headers\"}")         \
    X(METRIC_SERVER_409,                                                       \
        "ws_upgrade_attempts_total{endpoint=\"server\",outcome="               \
        "\"reject_409\"}")                                                     \
    X(METRIC_SERVER_404,                                                       \
        "ws_upgrade_attempts_total{endpoint=\"server\",outcome="               \
        "\"reject_404\"}")                                                     \
    X(METRIC_SERVER_429,                                                       \
        "ws_upgrade_attempts_total{endpoint=\"server\",outcome="               \
        "\"reject_429\"}")                                                     \
    X(METRIC_SERVER_RATE_LIMIT, "ws_upgrade_attempts_total{endpoint="          \
                                "\"server\",outcome=\"reject_rate_limit\"}")   \
    X(METRIC_CLIENT_ACCEPT,                                                    \
        "ws_upgrade_attempts_total{endpoint=\"client\",outcome=\"accept\"}")   \
    X(METRIC_CLIENT_HEADERS, "ws_upgrade_attempts_total{endpoint="             \
                             "\"client\",outcome=\"reject_headers\"}")         \
    X(METRIC_CLIENT_409,                                                       \
        "ws_upgrade_attempts_total{endpoint=\"client\",outcome="               \
        "\"reject_409\"}")                                                     \
    X(METRIC_CLIENT_404,                                                       \
        "ws_upgrade_attempts_total{endpoint=\"client\",outcome="               \
        "\"reject_404\"}")                                                     \
    X(METRIC_CLIENT_429,                                                       \
        "ws_upgrade_attempts_total{endpoint=\"client\",outcome="               \
        "\"reject_429\"}")                                                     \
    X(METRIC_CLIENT_RATE_LIMIT, "ws_upgrade_attempts_total{endpoint="          \
                                "\"client\",outcome=\"reject_rate_limit\"}")   \
    X(METRIC_NO_SERVER, "register_failures_total{kind=\"no_server\"}")         \
    X(METRIC_SERVER_IN_USE, "register_failures_total{kind=\"server_in_use\"}") \
    X(METRIC_PHONES_AT_CAP, "register_failures_total{kind=\"phones_at_cap\"}") \
    X(METRIC_RATELIMIT, "register_failures_total{kind=\"ratelimit\"}")

enum metric {
#define X(name, series) name,
    METRIC_LIST(X)
#undef X
        METRIC_COUNT
};

struct metrics {
    uint64_t counters[METRIC_COUNT];
};

struct metrics_gauges {
    uint64_t connected_binaries;
    uint64_t connected_phones;
};

NONNULL static inline void metrics_count(struct metrics *m, enum metric which)
{
    m->counters[which]++;
}

enum { METRICS_TEXT_MAX = 8192 }; /* bytes */

NONNULL void metrics_render(const struct metrics *m,
    const struct metrics_gauges *gauges, struct text *ret);
