/*
 * What this process was handed beside its sockets.  A descriptor that closes
 * on exec was opened here: exec would have closed an inherited one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "posture/facts.h"

enum {
    STDIO = 3,
    MEMORY_DEVICES = 1, /* major numbers, Documentation/admin-guide/devices */
    TERMINALS = 4,
    TERMINAL_ALIASES = 5,
    PSEUDO_FIRST = 128, /* Unix98 terminals, both ends */
    PSEUDO_LAST = 143,
};

/* Those that every container has. */
static bool is_common_device(dev_t device)
{
    unsigned number = major(device);

    if (number == MEMORY_DEVICES) {
        unsigned minor_number = minor(device);

        /* null, zero, full, random, urandom */
        return minor_number == 3 || minor_number == 5 || minor_number == 7 ||
               minor_number == 8 || minor_number == 9;
    }
    return number == TERMINALS || number == TERMINAL_ALIASES ||
           (number >= PSEUDO_FIRST && number <= PSEUDO_LAST);
}

static bool is_connected_to_runtime(int fd)
{
    struct sockaddr_un peer = {.sun_family = AF_UNSPEC};
    socklen_t len = sizeof(peer);
    char path[sizeof(peer.sun_path) + 1] = "";

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
        peer.sun_family != AF_UNIX)
        return false;
    memcpy(path, peer.sun_path, sizeof(peer.sun_path));
    return facts_is_runtime_socket(path);
}

static enum fact_descriptor_kind kind_of(int fd, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return FACT_DESCRIPTOR_DIRECTORY;
    if (S_ISBLK(st->st_mode) ||
        (S_ISCHR(st->st_mode) && !is_common_device(st->st_rdev)))
        return FACT_DESCRIPTOR_DEVICE;
    if (S_ISSOCK(st->st_mode) && is_connected_to_runtime(fd))
        return FACT_DESCRIPTOR_RUNTIME_SOCKET;
    return FACT_DESCRIPTOR_OTHER;
}

static void name_target(int dir, const char *name, char *ret, size_t cap)
{
    ssize_t len = readlinkat(dir, name, ret, cap - 1);

    ret[len < 0 ? 0 : len] = '\0';
}

void facts_descriptor(
    int dir, const char *name, int fd, struct fact_descriptors *ret)
{
    struct stat st;
    int flags = 0;
    struct fact_descriptor *to = NULL;

    if (fd < STDIO)
        return;
    flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) != 0)
        return;
    if (flags < 0 || fstat(fd, &st) < 0) {
        if (errno != EBADF) /* else it is gone */
            ret->error = errno;
        return;
    }
    if (ret->count == FACTS_DESCRIPTORS_MAX) {
        ret->left_out++;
        return;
    }
    to = &ret->list[ret->count++];
    to->fd = fd;
    to->kind = kind_of(fd, &st);
    name_target(dir, name, to->target, sizeof(to->target));
}

unsigned facts_closed_stdio(void)
{
    unsigned closed = 0;

    for (int fd = 0; fd < STDIO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            closed |= 1U << fd;
    }
    return closed;
}
