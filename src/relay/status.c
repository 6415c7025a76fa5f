#include "relay/status.h"

#include <inttypes.h>

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
    const struct relay *relay = c->relay;
    struct text t = text_over((char *)relay->worker.scratch, METRICS_TEXT_MAX);

    metrics_render(&relay->metrics,
        &(struct metrics_gauges){
            .connected_binaries = relay->registry.binary_count,
            .connected_phones = relay->registry.phone_count,
        },
        &t);
    reply_send(
        c, &(struct reply){
               .code = 200,
               .content_type = "text/plain; version=0.0.4; charset=utf-8",
               .body = span_of(t.ptr, t.len),
           });
}
