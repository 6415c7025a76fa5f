#include "relay/gate.h"

#include <assert.h>

#include "base/utf8.h"
#include "relay/limits.h"

static const struct {
    const char *path;
    enum gate_route route;
} routes[] = {
    {"/healthz", GATE_HEALTHZ},
    {"/readyz", GATE_READYZ},
    {"/metrics", GATE_METRICS},
    {"/", GATE_PAGE},
    {"/status.json", GATE_STATUS},
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

bool gate_is_host(const struct http_head *head, const char *domain)
{
    struct span host = http_head_get(head, "Host");

    return host.len > 0 && http_name_is(span_take_until(&host, ':'), domain);
}

static const char *const verdicts[] = {
#define X(name, text) [name] = (text),
    GATE_VERDICT_LIST(X)
#undef X
};

_Static_assert(ARRAY_LEN(verdicts) == GATE_VERDICT_COUNT,
    "the last verdict of the list is the last of the enum");

/* Cut where no character is cut in two, if it is text. */
static struct span shortened(struct span value, size_t max)
{
    size_t len = value.len;

    if (len > max)
        len = utf8_valid(value) ? utf8_floor(value, max) : max;
    return span_of(value.ptr, len);
}

/* Well-formed UTF-8 without control characters, those of ISO 6429 included. */
static bool is_text(struct span in)
{
    while (in.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_next(in, &code);

        if (len == 0 || code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return false;
        in = span_from(in, len);
    }
    return true;
}

enum gate_verdict gate_judge(const struct http_head *head,
    enum gate_route route, const struct gate_limits *limits,
    struct gate_admission *ret)
{
    struct span id = http_head_get(head, "X-Pyrycode-Server");
    struct span version = http_head_get(head, "X-Pyrycode-Version");
    struct span token = http_head_get(head, "X-Pyrycode-Token");
    struct span agent = http_head_get(head, "User-Agent");
    struct span device_name = http_head_get(head, "X-Pyrycode-Device-Name");
    struct span mine = route == GATE_SERVER ? version : token;

    if (id.len == 0 || mine.len == 0 || agent.len == 0)
        return GATE_HEADER_MISSING;
    if (id.len > limits->server_id_max)
        return GATE_ID_TOO_LONG;
    if (!is_text(id))
        return GATE_ID_NO_TEXT;
    *ret = (struct gate_admission){
        .server_id = id,
        .version = shortened(version, LIMIT_LOG_VALUE_BYTES),
        .device_name = shortened(device_name, limits->device_name_max),
        .device_name_cut = device_name.len > limits->device_name_max,
    };
    return GATE_ADMITTED;
}

const char *gate_verdict_text(enum gate_verdict verdict)
{
    assert(verdict < ARRAY_LEN(verdicts));
    return verdicts[verdict];
}
