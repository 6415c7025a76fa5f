#include "relay/gate.h"

#include "base/utf8.h"
#include "relay/limits.h"

static const struct {
    const char *path;
    enum gate_route route;
} routes[] = {
    {"/healthz", GATE_HEALTHZ},
    {"/metrics", GATE_METRICS},
    {"/v1/server", GATE_SERVER},
    {"/v1/client", GATE_CLIENT},
};

enum gate_route gate_route(const struct http_head *head)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (span_eq(head->path, span_str(routes[i].path)))
            return routes[i].route;
    }
    return GATE_UNKNOWN;
}

static struct span shortened(struct span value)
{
    size_t len = value.len;

    if (len > LIMIT_LOG_VALUE_BYTES) {
        len = utf8_valid(value) ? utf8_floor(value, LIMIT_LOG_VALUE_BYTES)
                                : LIMIT_LOG_VALUE_BYTES;
    }
    return span_of(value.ptr, len);
}

bool gate_admit(const struct http_head *head, enum gate_route route,
    struct gate_admission *ret)
{
    struct span id = http_head_get(head, "X-Pyrycode-Server");
    struct span version = http_head_get(head, "X-Pyrycode-Version");
    struct span token = http_head_get(head, "X-Pyrycode-Token");
    struct span agent = http_head_get(head, "User-Agent");
    struct span mine = route == GATE_SERVER ? version : token;

    if (id.len == 0 || mine.len == 0 || agent.len == 0)
        return false;
    /* It becomes part of a JSON string and of a table of ours. */
    if (id.len > LIMIT_SERVER_ID_BYTES || !utf8_valid(id))
        return false;
    *ret = (struct gate_admission){
        .server_id = id,
        .version = shortened(version),
        .device_name = shortened(http_head_get(head, "X-Pyrycode-Device-Name")),
    };
    return true;
}
