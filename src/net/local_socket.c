#include "net/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"

enum { BACKLOG = 8 }; /* who comes while one is served is answered soon */

_Static_assert(
    sizeof(((struct sockaddr_un *)0)->sun_path) == LOCAL_SOCKET_PATH_MAX + 1,
    "a path and its NUL fill sun_path");

/* ---- the path ---- */

bool local_socket_is_path(const char *path)
{
    size_t len = strlen(path);

    return len > 1 && len <= LOCAL_SOCKET_PATH_MAX && path[0] == '/' &&
           path[len - 1] != '/';
}

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* The directory of the path, if it is ours alone to change. */
static int open_directory(const char *path, int *ret_dir)
{
    char directory[LOCAL_SOCKET_PATH_MAX + 1];
    size_t len = (size_t)(name_of(path) - path);
    struct stat st;

    memcpy(directory, path, len); /* with its slash, which a link passes */
    directory[len > 1 ? len - 1 : len] = '\0';

    CLOSES int dir =
        open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0 || fstat(dir, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return -EPERM;
    *ret_dir = take_fd(&dir);
    return 0;
}

/* 0: a socket of ours is there; -ENOENT: nothing is. */
static int look_at(int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK;
    return st.st_uid == geteuid() ? 0 : -EPERM;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    (void)text_format(un.sun_path, sizeof(un.sun_path), "%s", path);
    return un;
}

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

/* ---- both ends ---- */

static int connect_in(int dir, const char *path, int *ret_fd)
{
    const struct sockaddr_un un = address_of(path);
    int failed = look_at(dir, name_of(path));
    CLOSES int fd = failed == 0 ? open_socket() : failed;

    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
        return -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

int local_socket_connect(const char *path, int *ret_fd)
{
    CLOSES int dir = -1;
    int failed = -EINVAL;

    if (local_socket_is_path(path))
        failed = open_directory(path, &dir);
    return failed == 0 ? connect_in(dir, path, ret_fd) : failed;
}

/* Have the path free: 0, or why it is not. */
static int clear_path(int dir, const char *path)
{
    CLOSES int other = -1;
    int failed = connect_in(dir, path, &other);

    if (failed == 0 || failed == -EAGAIN)
        return -EADDRINUSE;
    if (failed == -ENOENT)
        return 0;
    if (failed != -ECONNREFUSED)
        return failed;
    return unlinkat(dir, name_of(path), 0) < 0 ? -errno : 0;
}

static int bind_private(int fd, const char *path)
{
    const struct sockaddr_un un = address_of(path);
    mode_t mask = umask(0177);
    int failed =
        bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0 ? -errno : 0;

    (void)umask(mask);
    return failed;
}

int local_socket_listen(const char *path, int *ret_fd)
{
    CLOSES int dir = -1;
    CLOSES int fd = -1;
    int failed = -EINVAL;

    if (local_socket_is_path(path))
        failed = open_directory(path, &dir);
    if (failed == 0)
        failed = clear_path(dir, path);
    if (failed != 0)
        return failed;
    fd = open_socket();
    if (fd < 0)
        return fd;
    failed = bind_private(fd, path);
    if (failed != 0)
        return failed;
    if (listen(fd, BACKLOG) < 0)
        return -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

bool local_socket_peer_is_ours(int fd, pid_t *ret_pid)
{
    struct ucred peer = {.pid = 0};
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        len != sizeof(peer) || peer.uid != geteuid())
        return false;
    *ret_pid = peer.pid;
    return true;
}

/* ---- messages ---- */

/* Room for the descriptors of one message, aligned as their head wants it. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(LOCAL_SOCKET_DESCRIPTORS_MAX * sizeof(int))];
};

static void put_descriptors(struct msghdr *msg, union control *control,
    const struct local_descriptors *from)
{
    size_t len = from->count * sizeof(int);
    struct cmsghdr *head = NULL;

    if (from->count == 0)
        return;
    memset(control, 0, sizeof(*control));
    msg->msg_control = control->bytes;
    msg->msg_controllen = CMSG_SPACE(len);
    head = CMSG_FIRSTHDR(msg);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(head), from->fds, len);
}

int local_socket_send(
    int fd, struct span message, const struct local_descriptors *descriptors)
{
    uint8_t bytes[LOCAL_SOCKET_MESSAGE_MAX];
    union control control;
    struct iovec iov = {.iov_base = bytes, .iov_len = message.len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent = 0;

    if (message.len == 0 || message.len > sizeof(bytes))
        return -EMSGSIZE;
    memcpy(bytes, message.ptr, message.len);
    put_descriptors(&msg, &control, descriptors);
    do {
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static void take_descriptors(struct msghdr *msg, struct local_descriptors *ret)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head != NULL;
         head = CMSG_NXTHDR(msg, head)) {
        size_t len = head->cmsg_len - CMSG_LEN(0);

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
            len > sizeof(ret->fds) - ret->count * sizeof(int))
            continue;
        memcpy(ret->fds + ret->count, CMSG_DATA(head), len);
        ret->count += len / sizeof(int);
    }
}

ssize_t local_socket_receive(
    int fd, uint8_t *buf, size_t cap, struct local_descriptors *ret)
{
    uint8_t bytes[LOCAL_SOCKET_MESSAGE_MAX];
    union control control;
    struct iovec iov = {
        .iov_base = bytes,
        .iov_len = cap < sizeof(bytes) ? cap : sizeof(bytes),
    };
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct local_descriptors got = {.count = 0};
    ssize_t len = 0;
    int resets = 0;

    do {
        len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        /* Said once where the other end was closed before it had read all;
         * what it had sent before is still there. */
        resets += len < 0 && errno == ECONNRESET;
    } while (
        len < 0 && (errno == EINTR || (errno == ECONNRESET && resets < 2)));
    if (len < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    take_descriptors(&msg, &got);
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        local_descriptors_close(&got);
        return -EMSGSIZE;
    }
    if (len == 0) { /* an empty message is none of ours either */
        local_descriptors_close(&got);
        return -EPIPE;
    }
    memcpy(buf, bytes, (size_t)len);
    *ret = got;
    return len;
}

void local_descriptors_close(struct local_descriptors *descriptors)
{
    for (size_t i = 0; i < descriptors->count; i++)
        (void)close(descriptors->fds[i]);
    descriptors->count = 0;
}
