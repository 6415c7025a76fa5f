#include "net/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* ---- one socket ---- */

static int ask(int fd, int name, int *ret)
{
    socklen_t len = sizeof(*ret);

    return getsockopt(fd, SOL_SOCKET, name, ret, &len) < 0 ? errno : 0;
}

/* 0 or errno: connections over TCP come out of it. */
static int check_listens(int fd)
{
    int type = 0;
    int accepts = 0;
    int domain = 0;
    int error = ask(fd, SO_TYPE, &type);

    if (error == 0)
        error = ask(fd, SO_DOMAIN, &domain);
    if (error == 0)
        error = ask(fd, SO_ACCEPTCONN, &accepts);
    if (error != 0)
        return error;
    if (domain != AF_INET && domain != AF_INET6)
        return EAFNOSUPPORT;
    if (type != SOCK_STREAM)
        return ESOCKTNOSUPPORT;
    return accepts == 0 ? EINVAL : 0;
}

static int set_flags(int fd)
{
    int status = fcntl(fd, F_GETFL);

    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return errno;
    return 0;
}

static int look_at(struct inherited_socket *one)
{
    int error = set_flags(one->socket.fd);

    if (error == 0)
        error = check_listens(one->socket.fd);
    if (error != 0)
        return error;
    one->addr_len = sizeof(one->addr);
    return getsockname(one->socket.fd, (struct sockaddr *)&one->addr,
               &one->addr_len) < 0
               ? errno
               : 0;
}

int inherited_add(
    struct inherited *in, struct listener_socket socket, const char *name)
{
    struct inherited_socket *to = &in->list[in->count];

    if (in->count == INHERITED_MAX)
        return -ENFILE;
    *to = (struct inherited_socket){.socket = socket};
    (void)text_format(to->name, sizeof(to->name), "%s", name);
    to->error = look_at(to);
    in->count++;
    return 0;
}

/* ---- finding it ---- */

static const struct sockaddr_in *as_v4(const struct sockaddr_storage *addr)
{
    return (const struct sockaddr_in *)addr;
}

static const struct sockaddr_in6 *as_v6(const struct sockaddr_storage *addr)
{
    return (const struct sockaddr_in6 *)addr;
}

static bool is_any(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET
               ? as_v4(addr)->sin_addr.s_addr == htonl(INADDR_ANY)
               : IN6_IS_ADDR_UNSPECIFIED(&as_v6(addr)->sin6_addr);
}

static bool is_same_address(
    const struct sockaddr_storage *held, const struct sockaddr_storage *wanted)
{
    if (held->ss_family != wanted->ss_family) {
        return held->ss_family == AF_INET && is_any(held) && is_any(wanted) &&
               as_v4(held)->sin_port == as_v6(wanted)->sin6_port;
    }
    if (held->ss_family == AF_INET) {
        return as_v4(held)->sin_port == as_v4(wanted)->sin_port &&
               as_v4(held)->sin_addr.s_addr == as_v4(wanted)->sin_addr.s_addr;
    }
    return as_v6(held)->sin6_port == as_v6(wanted)->sin6_port &&
           IN6_ARE_ADDR_EQUAL(
               &as_v6(held)->sin6_addr, &as_v6(wanted)->sin6_addr);
}

bool inherited_fits(const struct inherited_socket *one, const char *name,
    const struct sockaddr_storage *addr)
{
    return one->socket.fd >= 0 && one->error == 0 &&
           strcmp(one->name, name) == 0 && is_same_address(&one->addr, addr);
}

size_t inherited_count(const struct inherited *in, const char *name,
    const struct sockaddr_storage *addr)
{
    size_t count = 0;

    for (size_t i = 0; i < in->count; i++)
        count += inherited_fits(&in->list[i], name, addr);
    return count;
}

struct listener_socket inherited_take(
    struct inherited *in, const char *name, const struct sockaddr_storage *addr)
{
    struct listener_socket taken = {.fd = -1};

    for (size_t i = 0; i < in->count && taken.fd < 0; i++) {
        if (!inherited_fits(&in->list[i], name, addr))
            continue;
        taken = in->list[i].socket;
        in->list[i].socket.fd = -1;
    }
    return taken;
}

void inherited_close(struct inherited *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->list[i].socket.fd >= 0)
            (void)close(in->list[i].socket.fd);
        in->list[i].socket.fd = -1;
    }
}
