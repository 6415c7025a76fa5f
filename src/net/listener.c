#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <unistd.h>

#include "base/own.h"

enum {
    BACKLOG = 4096,  /* the kernel cuts it to net.core.somaxconn */
    ACCEPT_MAX = 64, /* connections per round, so that others get a turn */
};

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

static int share_address(int fd)
{
    return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ? -errno : 0;
}

int listener_open(const struct sockaddr_storage *addr, socklen_t addr_len,
    enum listener_share share, int *ret_fd)
{
    int failed = 0;

    CLOSES int fd =
        socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
        return -errno;
    if (addr->ss_family == AF_INET6 &&
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY,
            !IN6_IS_ADDR_UNSPECIFIED(
                &((const struct sockaddr_in6 *)addr)->sin6_addr)) < 0)
        return -errno;
    if (share == LISTENER_SIBLING)
        failed = share_address(fd);
    if (failed != 0)
        return failed;
    if (bind(fd, (const struct sockaddr *)addr, addr_len) < 0)
        return -errno;
    /* Only once it is bound: another process that shares this way would else
     * be joined in silence. */
    if (share == LISTENER_FIRST)
        failed = share_address(fd);
    if (failed != 0)
        return failed;
    if (listen(fd, BACKLOG) < 0)
        return -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

static void begin_turn(const struct listener *l)
{
    if (l->turn != NULL)
        (void)pthread_mutex_lock(l->turn);
}

static void end_turn(const struct listener *l)
{
    if (l->turn != NULL)
        (void)pthread_mutex_unlock(l->turn);
}

/* Give up the reserve to take one connection off the queue, and close it. */
static void refuse_one(struct listener *l, int error)
{
    begin_turn(l);
    if (l->reserve < 0)
        l->reserve = open_reserve();
    if (l->reserve >= 0) {
        (void)close(l->reserve);

        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            (void)close(fd);
        l->reserve = open_reserve();
    }
    end_turn(l);
    l->exhausted(l, -error);
}

/* False when there is nothing more to take. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t peer_len = sizeof(peer);
    int fd = -1;
    int error = 0;

    begin_turn(l);
    fd = accept4(l->fd, (struct sockaddr *)&peer, &peer_len,
        SOCK_NONBLOCK | SOCK_CLOEXEC);
    error = fd < 0 ? errno : 0;
    end_turn(l);
    if (is_exhausted(error)) {
        refuse_one(l, error);
        return false;
    }
    /* EINVAL: listener_refuse().  Else that connection ended before we took
     * it. */
    if (fd < 0)
        return error != EAGAIN && error != EINVAL;
    IGNORE(
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0, "slower, not wrong");
    l->accept(l, fd, &peer);
    return true;
}

static void on_ready(struct watch *w, unsigned events)
{
    struct listener *l =
        (struct listener *)(void *)((char *)w -
                                    offsetof(struct listener, watch));

    if (events & WATCH_FAILED) {
        l->rests = true;
        l->exhausted(l, -ENOMEM);
        return;
    }
    for (int i = 0; i < ACCEPT_MAX && l->fd >= 0; i++) {
        if (!accept_one(l))
            return;
    }
}

int listener_start(
    struct listener *l, struct worker *w, struct listener_socket socket)
{
    int failed = watch_start(&l->watch, w, socket.fd, on_ready);

    if (failed != 0)
        return failed;
    l->fd = socket.fd;
    atomic_store(&l->lent, socket.lent);
    l->reserve = open_reserve();
    watch_want(&l->watch, WATCH_READ);
    return 0;
}

void listener_rest(struct listener *l)
{
    watch_want(&l->watch, 0);
}

void listener_resume(struct listener *l)
{
    if (l->fd < 0)
        return;
    l->rests = false;
    watch_want(&l->watch, WATCH_READ);
}

void listener_refuse(const struct listener *l)
{
    if (l->watch.worker != NULL && l->fd >= 0 && !atomic_load(&l->lent))
        IGNORE(shutdown(l->fd, SHUT_RDWR) < 0, "it then ends a moment later");
}

void listener_stop(struct listener *l)
{
    if (l->watch.worker == NULL || l->fd < 0)
        return;
    watch_stop(&l->watch, NULL);
    (void)close(l->fd);
    l->fd = -1;
    if (l->reserve >= 0)
        (void)close(l->reserve);
    l->reserve = -1;
}
