/*
 * The sockets that this process holds; Linux only, as facts_linux.c.  A file
 * of its own: that one asks who we are, this one what we hold, and the two
 * share no more than facts_open_self().
 */
#include "posture/facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/own.h"

static uint64_t number(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    uint64_t result = 0;

    if (value == NULL || !num_parse_u64(span_str(value), INT32_MAX, &result))
        return 0;
    return result;
}

int facts_activated_count(void)
{
    uint64_t pid = number("LISTEN_PID");

    return pid != 0 && pid == (uint64_t)getpid() ? (int)number("LISTEN_FDS")
                                                 : 0;
}

/* ---- one socket; functions that return int return 0 or errno ---- */

static int ask(int fd, int level, int name, int *ret)
{
    socklen_t len = sizeof(*ret);

    return getsockopt(fd, level, name, ret, &len) < 0 ? errno : 0;
}

static int ask_kind(struct fact_socket *s)
{
    int error = ask(s->fd, SOL_SOCKET, SO_TYPE, &s->type);

    if (error == 0)
        error = ask(s->fd, SOL_SOCKET, SO_DOMAIN, &s->family);
    if (error == 0)
        error = ask(s->fd, SOL_SOCKET, SO_PROTOCOL, &s->protocol);
    if (error != 0 || s->family != AF_INET6)
        return error;
    if (s->protocol == IPPROTO_TCP || s->protocol == IPPROTO_UDP)
        return ask(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &s->v6_only);
    /* The others do not have it everywhere: then they do not count as both. */
    if (ask(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &s->v6_only) != 0)
        s->v6_only = 1;
    return 0;
}

/* Kernels before 4.12 and some sandboxes have no cookies; a socket then counts
 * once for each of its descriptors. */
static uint64_t ask_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0
                                                                    : cookie;
}

/* Families whose datagram sockets strangers can reach; a netlink socket, for
 * one, is bound and is no entrance. */
static bool is_open_datagram(const struct fact_socket *s)
{
    return s->type == SOCK_DGRAM &&
           (s->family == AF_INET || s->family == AF_INET6 ||
               s->family == AF_UNIX);
}

static bool is_bound(const struct fact_socket *s)
{
    if (s->family == AF_UNIX)
        return s->addr_len > sizeof(sa_family_t);
    if (s->family == AF_INET)
        return ((const struct sockaddr_in *)&s->addr)->sin_port != 0;
    return ((const struct sockaddr_in6 *)&s->addr)->sin6_port != 0;
}

/* A connected datagram socket hears its peer alone: a client, not a server. */
static int ask_peer(int fd, bool *ret_connected)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    *ret_connected = getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
    return *ret_connected || errno == ENOTCONN ? 0 : errno;
}

/* Fill *s, and say whether it waits for whoever comes. */
static int look_at(struct fact_socket *s, bool *ret_waits)
{
    int accepts = 0;
    bool connected = false;
    int error = ask(s->fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts);

    if (error == 0)
        error = ask_kind(s);
    if (error != 0 || (accepts == 0 && !is_open_datagram(s)))
        return error;
    s->addr_len = sizeof(s->addr);
    if (getsockname(s->fd, (struct sockaddr *)&s->addr, &s->addr_len) < 0)
        return errno;
    if (accepts == 0)
        error = ask_peer(s->fd, &connected);
    *ret_waits = accepts != 0 || (is_bound(s) && !connected);
    return error;
}

/* ---- all of them ---- */

static void keep_error(struct fact_sockets *ret, int fd, int error)
{
    if (ret->error != 0)
        return;
    ret->error = error;
    ret->error_fd = fd;
}

static void keep_socket(struct fact_sockets *ret, const struct fact_socket *s)
{
    for (size_t i = 0; i < ret->count; i++) {
        if (s->cookie != 0 && ret->list[i].cookie == s->cookie)
            return;
    }
    if (ret->count == FACTS_SOCKETS_MAX) {
        ret->left_out++;
    } else {
        ret->list[ret->count++] = *s;
    }
}

static void try_descriptor(struct fact_sockets *ret, int fd, int activated)
{
    struct fact_socket found = {.fd = fd};
    bool waits = false;
    int error = look_at(&found, &waits);

    if (error == ENOTSOCK || error == EBADF)
        return;
    if (error != 0) {
        keep_error(ret, fd, error);
    } else if (waits) {
        found.cookie = ask_cookie(fd);
        found.activated = fd >= FACTS_FIRST_ACTIVATED &&
                          fd - FACTS_FIRST_ACTIVATED < activated;
        keep_socket(ret, &found);
    }
}

/*
 * Without /proc: the numbers that a descriptor can have today.  That is never
 * all of them, since one above a limit that was lowered stays open; what is
 * found is named all the same.
 */
static void try_numbers(struct fact_sockets *ret, int activated)
{
    long max = sysconf(_SC_OPEN_MAX);

    if (max < 0 || max > 65536)
        max = 65536;
    for (int fd = 0; fd < max; fd++)
        try_descriptor(ret, fd, activated);
}

struct listing {
    struct fact_sockets *sockets;
    struct fact_descriptors *others; /* or NULL */
    int dir;
    int activated;
    unsigned open_stdio; /* bit n: descriptor n was listed */
};

static void try_entry(const struct dirent64 *entry, struct listing *l)
{
    uint64_t number_of_fd = 0;
    int fd = 0;

    if (!num_parse_u64(span_str(entry->d_name), INT32_MAX, &number_of_fd))
        return;
    fd = (int)number_of_fd;
    if (fd == l->dir)
        return;
    if (fd < FACTS_FIRST_ACTIVATED)
        l->open_stdio |= 1U << fd;
    try_descriptor(l->sockets, fd, l->activated);
    if (l->others != NULL && fd >= FACTS_FIRST_ACTIVATED + l->activated)
        facts_descriptor(l->dir, entry->d_name, fd, l->others);
}

/* Without opendir(3), which asks the kernel thrice what is known already.
 * 0 or an errno. */
static int try_listed(struct listing *l)
{
    alignas(struct dirent64) char buf[2048];

    for (;;) {
        ssize_t len = getdents64(l->dir, buf, sizeof(buf));

        if (len <= 0)
            return len < 0 ? errno : 0;
        for (size_t at = 0; at < (size_t)len;) {
            const struct dirent64 *entry =
                (const struct dirent64 *)(const void *)(buf + at);

            try_entry(entry, l);
            at += entry->d_reclen;
        }
    }
}

static int compare(const void *a, const void *b)
{
    return ((const struct fact_socket *)a)->fd -
           ((const struct fact_socket *)b)->fd;
}

/* As the one who binds finds it out: by asking for one. */
static bool ipv6_is_missing(void)
{
    CLOSES int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 && errno == EAFNOSUPPORT;
}

void facts_sockets(
    struct fact_sockets *ret, struct fact_descriptors *ret_others)
{
    CLOSES int fd = facts_open_self("fd", O_RDONLY | O_DIRECTORY);
    struct listing l = {
        .sockets = ret,
        .others = ret_others,
        .dir = fd,
        .activated = facts_activated_count(),
    };
    int error = fd < 0 ? errno : try_listed(&l);

    if (error != 0)
        keep_error(ret, -1, error);
    if (fd < 0)
        try_numbers(ret, l.activated);
    if (ret_others != NULL) {
        if (error != 0)
            ret_others->error = error;
        ret_others->closed_stdio =
            fd < 0 ? facts_closed_stdio() : ~l.open_stdio & 7U;
    }
    ret->no_ipv6 = ipv6_is_missing();
    qsort(ret->list, ret->count, sizeof(ret->list[0]), compare);
}
