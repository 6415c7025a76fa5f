#include "relay/status_page.h"

#include "base/decimal.h"
#include "base/json_text.h"
#include "relay/page_html.h"

/* A member of a JSON object: its name, behind a comma unless it is first. */
static void add_name(struct text *out, const char *name)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '{')
        text_add_char(out, ',');
    text_addf(out, "\"%s\":", name);
}

static void add_string(struct text *out, const char *name, const char *value)
{
    add_name(out, name);
    json_text_add(out, span_str(value));
}

static void add_number(
    struct text *out, const char *name, uint64_t value, unsigned decimals)
{
    add_name(out, name);
    decimal_add(out, value, decimals);
}

static void add_stat(struct text *out, const char *name,
    const struct process_stats *stats, enum process_stat which)
{
    uint64_t value = stats->values[which];

    if (value == PROCESS_STAT_UNKNOWN) {
        add_name(out, name);
        text_add_str(out, "null");
    } else {
        add_number(out, name, value, which == PROCESS_CPU_US ? 6 : 0);
    }
}

static void add_connections(struct text *out, const uint64_t *gauges)
{
    add_name(out, "connections");
    text_add_char(out, '{');
    add_number(out, "binaries", gauges[METRIC_CONNECTED_BINARIES], 0);
    add_number(out, "phones", gauges[METRIC_CONNECTED_PHONES], 0);
    add_number(out, "upgraded",
        gauges[METRIC_CONNECTIONS_BINARY] + gauges[METRIC_CONNECTIONS_PHONE],
        0);
    add_number(out, "limit", gauges[METRIC_CONNECTIONS_LIMIT], 0);
    add_number(out, "grace_windows", gauges[METRIC_GRACE_WINDOWS], 0);
    text_add_char(out, '}');
}

static void add_queues(struct text *out, const uint64_t *gauges)
{
    add_name(out, "queues");
    text_add_char(out, '{');
    add_number(out, "bytes",
        gauges[METRIC_QUEUED_BINARY] + gauges[METRIC_QUEUED_PHONE] +
            gauges[METRIC_QUEUED_OTHER],
        0);
    add_number(out, "limit_bytes", gauges[METRIC_QUEUED_BYTES_LIMIT], 0);
    text_add_char(out, '}');
}

static void add_workers(struct text *out, const uint64_t *gauges)
{
    add_name(out, "workers");
    text_add_char(out, '{');
    add_number(out, "count", gauges[METRIC_WORKERS], 0);
    add_number(out, "alive", gauges[METRIC_WORKERS_ALIVE], 0);
    text_add_char(out, '}');
}

/* Times since the epoch; 0: there is none. */
static void add_certificate(struct text *out, const uint64_t *gauges)
{
    add_name(out, "certificate");
    text_add_char(out, '{');
    add_number(out, "expires_at", gauges[METRIC_CERTIFICATE_EXPIRY], 0);
    add_number(out, "issued_at", gauges[METRIC_CERTIFICATE_ISSUED], 0);
    add_number(out, "next_try_at", gauges[METRIC_CERTIFICATE_NEXT_TRY], 0);
    text_add_char(out, '}');
}

static void add_process(struct text *out, const struct process_stats *stats)
{
    add_name(out, "process");
    text_add_char(out, '{');
    add_stat(out, "cpu_seconds", stats, PROCESS_CPU_US);
    add_stat(out, "resident_bytes", stats, PROCESS_RESIDENT_BYTES);
    add_stat(out, "open_fds", stats, PROCESS_OPEN_FDS);
    add_stat(out, "max_fds", stats, PROCESS_MAX_FDS);
    text_add_char(out, '}');
}

static void add_finding(struct text *out, const struct posture_finding *f)
{
    text_add_char(out, '{');
    add_string(out, "id", f->id);
    add_string(out, "verdict", posture_verdict_name(f->verdict));
    add_string(out, "object", f->object);
    add_string(out, "observed", f->observed);
    add_string(out, "expected", f->expected);
    add_string(out, "reason", f->reason);
    add_string(out, "fix", f->fix);
    add_string(out, "impact", f->impact);
    text_add_char(out, '}');
}

static void add_posture(struct text *out, const struct status_view *view)
{
    add_name(out, "posture");
    text_add_char(out, '{');
    add_string(out, "mode", view->mode);
    add_name(out, "findings");
    text_add_char(out, '[');
    for (size_t i = 0; i < view->finding_count; i++) {
        if (i > 0)
            text_add_char(out, ',');
        add_finding(out, view->findings[i]);
    }
    text_add_str(out, "]}");
}

void status_page_json(const struct status_view *view, struct text *ret)
{
    const uint64_t *gauges = view->sum->values;

    text_add_char(ret, '{');
    add_number(ret, "schema", STATUS_PAGE_SCHEMA, 0);
    add_string(ret, "version", view->version);
    add_string(ret, "state", view->state);
    add_number(ret, "at", view->epoch_ms, 3);
    add_number(ret, "uptime_seconds", view->uptime_ms, 3);
    add_connections(ret, gauges);
    add_queues(ret, gauges);
    add_workers(ret, gauges);
    add_certificate(ret, gauges);
    add_process(ret, view->process);
    add_posture(ret, view);
    add_name(ret, "history");
    history_render(view->history, ret);
    text_add_str(ret, "}\n");
}

struct span status_page_html(void)
{
    return span_of(page_html, sizeof(page_html));
}

const char *status_page_policy(void)
{
    return PAGE_POLICY;
}
