#include "posture/listener_address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct {
    const char *prefix;
    int type;
    int protocol;
} kinds[] = {
    {"tcp:", SOCK_STREAM, IPPROTO_TCP},
    {"udp:", SOCK_DGRAM, IPPROTO_UDP},
    {"mptcp:", SOCK_STREAM, IPPROTO_MPTCP},
    {"unix:", SOCK_STREAM, 0},
    {"unixgram:", SOCK_DGRAM, 0},
};

static bool is_path(const char *path)
{
    /* "@" alone would be a name of no byte, which autobind gives to nobody. */
    return (path[0] == '/' || path[0] == '@') && path[1] != '\0' &&
           strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

bool listener_address_parse(const char *text, struct listener_address *ret)
{
    struct listener_address found = {
        .type = SOCK_STREAM, .protocol = IPPROTO_TCP};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].prefix);

        if (strncmp(text, kinds[i].prefix, len) != 0)
            continue;
        text += len;
        found.type = kinds[i].type;
        found.protocol = kinds[i].protocol;
        break;
    }
    if (found.protocol == 0) {
        if (!is_path(text))
            return false;
        found.path = text;
    } else if (host_port_parse(span_str(text), &found.where) != HOST_PORT_OK) {
        return false;
    }
    *ret = found;
    return true;
}

bool listener_address_same_host(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    }
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
               &((const struct sockaddr_in6 *)b)->sin6_addr,
               sizeof(struct in6_addr)) == 0;
}

bool listener_address_is_same(
    const struct listener_address *a, const struct listener_address *b)
{
    if (a->type != b->type || a->protocol != b->protocol)
        return false;
    if (a->path != NULL || b->path != NULL) {
        return a->path != NULL && b->path != NULL &&
               strcmp(a->path, b->path) == 0;
    }
    return a->where.port == b->where.port && a->where.any == b->where.any &&
           listener_address_same_host(&a->where.addr, &b->where.addr);
}

bool listener_address_is_path(
    const char *path, const struct sockaddr_storage *addr, socklen_t len)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t named = len > start ? len - start : 0;
    size_t wanted = strlen(path);

    /* An abstract name has its length, and begins with a NUL. */
    if (path[0] == '@') {
        return named == wanted && un->sun_path[0] == '\0' &&
               memcmp(un->sun_path + 1, path + 1, wanted - 1) == 0;
    }
    return strnlen(un->sun_path, named) == wanted &&
           memcmp(un->sun_path, path, wanted) == 0;
}
