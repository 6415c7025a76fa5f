#include "base/host_port.h"

#include <arpa/inet.h>
#include <assert.h>

#include "base/num.h"

static const char *const texts[] = {
    [HOST_PORT_OK] = "valid",
    [HOST_PORT_NO_COLON] = "not host:port",
    [HOST_PORT_BAD_HOST] = "the host is not an IP literal",
    [HOST_PORT_BAD_PORT] = "the port is not a number from 1 to 65535",
};

static bool parse_host(struct span host, bool bracketed, struct host_port *hp)
{
    char literal[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&hp->addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&hp->addr;

    if (host.len >= sizeof(literal) ||
        (host.len > 0 && memchr(host.ptr, '\0', host.len) != NULL))
        return false;
    memcpy(literal, host.ptr, host.len);
    literal[host.len] = '\0';
    if (!bracketed && inet_pton(AF_INET, literal, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(hp->port);
        hp->addr_len = sizeof(*v4);
        return true;
    }
    if (bracketed && inet_pton(AF_INET6, literal, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(hp->port);
        hp->addr_len = sizeof(*v6);
        return true;
    }
    return false;
}

static void set_any(struct host_port *hp)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&hp->addr;

    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_any;
    v6->sin6_port = htons(hp->port);
    hp->addr_len = sizeof(*v6);
    hp->any = true;
}

enum host_port_status host_port_parse(struct span text, struct host_port *ret)
{
    struct host_port hp = {.addr_len = 0};
    uint64_t port = 0;
    size_t colon = text.len;

    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return HOST_PORT_NO_COLON;
    if (!num_parse_u64(span_from(text, colon), UINT16_MAX, &port) || port == 0)
        return HOST_PORT_BAD_PORT;
    hp.port = (uint16_t)port;

    struct span host = span_of(text.ptr, colon - 1);
    bool bracketed =
        host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    if (bracketed)
        host = span_of(host.ptr + 1, host.len - 2);
    if (host.len == 0 && !bracketed) {
        set_any(&hp);
    } else if (!parse_host(host, bracketed, &hp)) {
        return HOST_PORT_BAD_HOST;
    }
    *ret = hp;
    return HOST_PORT_OK;
}

const char *host_port_text(enum host_port_status status)
{
    assert(status < ARRAY_LEN(texts));
    return texts[status];
}

bool host_port_is_loopback(const struct host_port *hp)
{
    if (hp->addr.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&hp->addr;

        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }

    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&hp->addr;

    return !hp->any && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}
