/*
 * local_socket: a socket at a path, by which processes of one user meet on one
 * machine: connections of whole messages that may carry descriptors
 * (SOCK_SEQPACKET and SCM_RIGHTS, unix(7)).
 *
 * The directory of the path must be this user's, and nobody else may write to
 * it; neither it nor the path may be a link.  All sockets are non-blocking and
 * close-on-exec.  Functions return 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    LOCAL_SOCKET_MESSAGE_MAX = 512,     /* bytes */
    LOCAL_SOCKET_PATH_MAX = 107,        /* bytes; sun_path without its NUL */
    LOCAL_SOCKET_DESCRIPTORS_MAX = 128, /* of one message; the kernel's own
                                           limit is 253 */
};

/* Descriptors that came with a message; the receiver's. */
struct local_descriptors {
    int fds[LOCAL_SOCKET_DESCRIPTORS_MAX];
    size_t count;
};

/* May such a socket be there: absolute, short enough, with a name? */
NONNULL bool local_socket_is_path(const char *path);

/*
 * Listen at the path, with mode 0600; a socket there that nobody listens on
 * is replaced.  Changes the umask for a moment: no other thread runs yet.
 * -EADDRINUSE: somebody listens there.  -EPERM: the directory, or what stands
 * at the path, is another user's, or others may write to the directory.
 * -ENOTSOCK: something else stands there.  -ENOTDIR, -ELOOP: no directory.
 */
MUST_CHECK NONNULL int local_socket_listen(const char *path, int *ret_fd);

/* Connect to who listens there.  -ENOENT: nothing is there; -ECONNREFUSED:
 * nobody listens any more; others as above. */
MUST_CHECK NONNULL int local_socket_connect(const char *path, int *ret_fd);

/* Is who holds the other end this user, as the kernel says?  *ret_pid is its
 * process, or that which began to listen; written on success only. */
MUST_CHECK NONNULL bool local_socket_peer_is_ours(int fd, pid_t *ret_pid);

/* Send one message, whole, with copies of that many descriptors. */
MUST_CHECK NONNULL int local_socket_send(
    int fd, struct span message, const struct local_descriptors *descriptors);

/*
 * Take the next message: its length; -EAGAIN: none is there; -EPIPE: the other
 * end is closed; -EMSGSIZE: it, or what it carries, is too large, and all of
 * it is dropped.  *ret is written on success only.
 */
MUST_CHECK NONNULL ssize_t local_socket_receive(
    int fd, uint8_t *buf, size_t cap, struct local_descriptors *ret);

NONNULL void local_descriptors_close(struct local_descriptors *descriptors);
