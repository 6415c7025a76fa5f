#include "relay/status.h"

#include <inttypes.h>

#include "relay/metrics_render.h"
#include "relay/relay.h"
#include "relay/reply.h"

void status_healthz(struct conn *c, bool head_only)
{
    const struct relay *relay = c->relay;
    char body[256];
    uint64_t up_ms = worker_now_ms(&relay->worker) - relay->started_ms;
    struct text t = text_over(body, sizeof(body));

    text_addf(&t, "{\"status\":\"ok\",\"version\":\"%s\"", VERSION);
    text_addf(&t, ",\"connected_binaries\":%zu,\"connected_phones\":%zu",
        relay->registry.binary_count, relay->registry.phone_count);
    text_addf(&t, ",\"uptime_seconds\":%" PRIu64 "}", up_ms / 1000);
    reply_send(c, &(struct reply){
                      .code = 200,
                      .content_type = "application/json; charset=utf-8",
                      .extra = "Cache-Control: no-store\r\n",
                      .body = span_of(t.ptr, t.len),
                      .head_only = head_only,
                  });
}

void status_metrics(struct conn *c)
{
    struct relay *relay = c->relay;
    struct text t = text_over((char *)relay->worker.scratch, METRICS_TEXT_MAX);
    struct metrics_sum sum = {.values = {0}};

    metrics_set(&relay->metrics, METRIC_CONNECTED_BINARIES,
        relay->registry.binary_count);
    metrics_set(
        &relay->metrics, METRIC_CONNECTED_PHONES, relay->registry.phone_count);
    metrics_sum_add(&sum, &relay->metrics);
    metrics_render(&(struct metrics_view){.sum = &sum, .version = VERSION}, &t);
    if (t.cut) {
        metrics_count(&relay->metrics, METRIC_HANDLER_ENCODING);
        reply_error(c, 500, NULL);
        return;
    }
    reply_send(
        c, &(struct reply){
               .code = 200,
               .content_type = "text/plain; version=0.0.4; charset=utf-8",
               .body = span_of(t.ptr, t.len),
           });
}
