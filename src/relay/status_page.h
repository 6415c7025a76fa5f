/*
 * status_page: the page at / of the metrics listener, and /status.json, which
 * the page draws itself from.
 *
 * Pure: renders plain structs; knows nothing of connections.  The members of
 * the JSON are a contract, see docs/operations.md: members are added, and
 * "schema" changes when one is removed or means something else.
 */
#pragma once

#include "posture/posture.h"
#include "relay/history.h"

enum { STATUS_PAGE_SCHEMA = 1 };

struct status_view {
    const char *version;
    const char *state; /* "ready", "draining", "overloaded" */
    const char *mode;  /* of the posture check */
    uint64_t epoch_ms; /* now, of the wall clock */
    uint64_t uptime_ms;
    const struct metrics_sum *sum;
    const struct process_stats *process;
    const struct history *history;
    const struct posture_finding *const *findings; /* finding_count */
    size_t finding_count;
};

/* bytes; enough for a full history and 128 findings of 2 KiB */
enum { STATUS_JSON_MAX = 393216 };

/* Check ret->cut: a text that was cut must not be served. */
NONNULL void status_page_json(const struct status_view *view, struct text *ret);

/* The page, and the value of its Content-Security-Policy header. */
struct span status_page_html(void);
const char *status_page_policy(void);
