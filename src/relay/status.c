#include "relay/status.h"

#include <inttypes.h>
#include <time.h>

#include "base/host_port.h"
#include "relay/metrics_render.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/status_page.h"

static void answer_json(
    struct conn *c, unsigned code, struct span body, bool head_only)
{
    reply_send(c, &(struct reply){
                      .code = code,
                      .content_type = "application/json; charset=utf-8",
                      .extra = "Cache-Control: no-store\r\n",
                      .body = body,
                      .head_only = head_only,
                  });
}

void status_healthz(struct conn *c, bool head_only)
{
    const struct relay *relay = c->shard->relay;
    uint64_t now_ms = worker_now_ms(&c->shard->worker);
    bool alive = relay_alive(relay, now_ms) == relay->shard_count;
    uint64_t up_ms =
        now_ms > relay->started_ms ? now_ms - relay->started_ms : 0;
    char body[256];
    struct text t = text_over(body, sizeof(body));

    text_addf(&t, "{\"status\":\"%s\",\"version\":\"%s\"",
        alive ? "ok" : "wedged", VERSION);
    text_addf(&t, ",\"connected_binaries\":%zu,\"connected_phones\":%zu",
        relay_binaries(relay), relay_phones(relay));
    text_addf(&t, ",\"uptime_seconds\":%" PRIu64 "}", up_ms / 1000);
    if (!alive)
        metrics_count(&c->shard->metrics, METRIC_UNAVAILABLE_WEDGED);
    answer_json(c, alive ? 200 : 503, span_of(t.ptr, t.len), head_only);
}

void status_readyz(struct conn *c, bool head_only)
{
    enum readiness is = relay_readiness(c->shard->relay);
    char body[64];
    struct text t = text_over(body, sizeof(body));

    if (is != RELAY_READY) {
        metrics_count(&c->shard->metrics, is == RELAY_DRAINING
                                              ? METRIC_UNAVAILABLE_DRAINING
                                              : METRIC_UNAVAILABLE_OVERLOADED);
    }
    text_add_str(&t, "{\"status\":\"");
    text_add_str(&t, relay_readiness_name(is));
    text_add_str(&t, "\"}");
    answer_json(
        c, is == RELAY_READY ? 200 : 503, span_of(t.ptr, t.len), head_only);
}

/* A text that was cut must not be served. */
static void answer_text(struct conn *c, const struct text *t, const char *type)
{
    if (t->cut) {
        metrics_count(&c->shard->metrics, METRIC_HANDLER_ENCODING);
        reply_error(c, 500, NULL);
        return;
    }
    reply_send(c, &(struct reply){
                      .code = 200,
                      .content_type = type,
                      .extra = "Cache-Control: no-store\r\n",
                      .body = span_of(t->ptr, t->len),
                  });
}

void status_metrics(struct conn *c)
{
    struct relay *relay = c->shard->relay;
    struct metrics_invariant posture[POSTURE_RECORD_FINDINGS];
    struct text t =
        text_over((char *)c->shard->worker.scratch, METRICS_TEXT_MAX);
    struct process_stats process;
    struct metrics_view view = {
        .sum = relay_sum(relay),
        .process = &process,
        .posture = posture,
        .version = VERSION,
        .push = relay->wakes.is_on,
    };

    process_stats_read(&relay->process, &process);
    if (relay->record != NULL)
        view.posture_count = posture_record_invariants(relay->record, posture);
    metrics_render(&view, &t);
    answer_text(c, &t, "text/plain; version=0.0.4; charset=utf-8");
}

/* ---- for people ---- */

/* What a browser on this machine asks for: no page of another site may have
 * it ask for more by giving its own name our address. */
static bool is_local(const struct http_head *head)
{
    struct span host = http_head_get(head, "Host");
    char with_port[64];
    struct host_port hp;
    size_t name_len = strlen("localhost");

    if (host.len >= name_len &&
        http_name_is(span_of(host.ptr, name_len), "localhost") &&
        (host.len == name_len || host.ptr[name_len] == ':'))
        return true;
    if (host_port_parse(host, &hp) == HOST_PORT_OK)
        return host_port_is_loopback(&hp);
    /* Without a port, then. */
    return text_format(with_port, sizeof(with_port), "%.*s:80", (int)host.len,
               (const char *)host.ptr) &&
           host_port_parse(span_str(with_port), &hp) == HOST_PORT_OK &&
           host_port_is_loopback(&hp);
}

static bool refuses(struct conn *c, const struct http_head *head)
{
    if (is_local(head))
        return false;
    reply_error(c, 421, NULL);
    return true;
}

void status_page(struct conn *c, const struct http_head *head)
{
    char extra[512];
    struct text t = text_over(extra, sizeof(extra));

    if (refuses(c, head))
        return;
    text_add_str(&t, "Cache-Control: no-store\r\nContent-Security-Policy: ");
    text_add_str(&t, status_page_policy());
    text_add_str(&t, "\r\n");
    reply_send(c, &(struct reply){
                      .code = 200,
                      .content_type = "text/html; charset=utf-8",
                      .extra = extra,
                      .body = status_page_html(),
                      .head_only = span_eq(head->method, span_str("HEAD")),
                  });
}

static uint64_t epoch_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void status_take_sample(struct relay *relay)
{
    uint64_t now_ms = worker_now_ms(&relay->control.worker);
    struct process_stats process;

    if (!history_is_due(&relay->history, now_ms))
        return;
    process_stats_read(&relay->process, &process);
    history_take(&relay->history, &(struct history_now){
                                      .now_ms = now_ms,
                                      .epoch_ms = epoch_ms(),
                                      .sum = relay_sum(relay),
                                      .process = &process,
                                  });
}

void status_json(struct conn *c, const struct http_head *head)
{
    struct relay *relay = c->shard->relay;
    uint64_t now_ms = worker_now_ms(&c->shard->worker);
    struct text t =
        text_over((char *)c->shard->worker.scratch, STATUS_JSON_MAX);
    struct process_stats process;
    struct status_view view = {
        .version = VERSION,
        .state = relay_readiness_name(relay_readiness(relay)),
        .mode = relay->mode,
        .epoch_ms = epoch_ms(),
        .uptime_ms = now_ms - relay->started_ms,
        .sum = relay_sum(relay),
        .process = &process,
        .history = &relay->history,
    };

    if (refuses(c, head))
        return;
    process_stats_read(&relay->process, &process);
    if (relay->record != NULL) {
        view.findings = relay->record->findings;
        view.finding_count = relay->record->count;
    }
    status_page_json(&view, &t);
    answer_text(c, &t, "application/json; charset=utf-8");
}
