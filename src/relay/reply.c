#include "relay/reply.h"

#include "base/text.h"
#include "relay/shard.h"

static const struct {
    unsigned code;
    const char *phrase;
    const char *body;
} statuses[] = {
    {200, "OK", ""},
    {400, "Bad Request", "\n"},
    {403, "Forbidden", "\n"},
    {404, "Not Found", "404 page not found\n"},
    {405, "Method Not Allowed", "method not allowed\n"},
    {421, "Misdirected Request", ""},
    {426, "Upgrade Required", "this endpoint speaks WebSocket\n"},
    {429, "Too Many Requests", "\n"},
    {431, "Request Header Fields Too Large", "request head too large\n"},
    {500, "Internal Server Error", "\n"},
    {503, "Service Unavailable", "\n"},
    {505, "HTTP Version Not Supported", "HTTP version not supported\n"},
};

static size_t status_index(unsigned code)
{
    size_t i = 0;

    while (i < ARRAY_LEN(statuses) - 1 && statuses[i].code != code)
        i++;
    return i;
}

void reply_send(struct conn *c, const struct reply *reply)
{
    char buf[1024];
    struct text head = text_over(buf, sizeof(buf));
    const char *type = reply->content_type;

    text_addf(&head, "HTTP/1.1 %u %s\r\n", reply->code,
        statuses[status_index(reply->code)].phrase);
    text_addf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n",
        type == NULL ? "text/plain; charset=utf-8" : type, reply->body.len);
    text_add_str(
        &head, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n");
    if (reply->extra != NULL)
        text_add_str(&head, reply->extra);
    text_add_str(&head, "\r\n");
    metrics_count_response(&c->shard->metrics, reply->code);
    if (!conn_append(c, span_of(head.ptr, head.len), OUTBOX_HTTP))
        return;
    if (reply->body.len > 0 && !reply->head_only &&
        !conn_append(c, reply->body, OUTBOX_HTTP))
        return;
    conn_finish(c);
}

void reply_error(struct conn *c, unsigned code, const char *extra)
{
    reply_send(c, &(struct reply){
                      .code = code,
                      .extra = extra,
                      .body = span_str(statuses[status_index(code)].body),
                  });
}
