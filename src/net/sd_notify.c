#include "net/sd_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "base/own.h"

struct sd_notify_variables sd_notify_environment(void)
{
    return (struct sd_notify_variables){
        .socket = getenv("NOTIFY_SOCKET"),        /* NOLINT */
        .watchdog_usec = getenv("WATCHDOG_USEC"), /* NOLINT */
        .watchdog_pid = getenv("WATCHDOG_PID"),   /* NOLINT */
    };
}

/* A path, or behind an @ a name that begins with a NUL instead: unix(7). */
static int make_address(
    const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 ||
        len >= sizeof(ret->sun_path))
        return -EINVAL;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, len);
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (name[0] == '@')
        ret->sun_path[0] = '\0';
    return 0;
}

static int connect_to(const char *name, int *ret_fd)
{
    struct sockaddr_un address;
    socklen_t len = 0;
    int failed = make_address(name, &address, &len);

    if (failed != 0)
        return failed;

    CLOSES int fd =
        socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, len) < 0)
        return -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

static int read_watchdog(
    const struct sd_notify_variables *variables, pid_t self, uint64_t *ret_ms)
{
    uint64_t usec = 0;
    uint64_t pid = 0;

    if (variables->watchdog_usec == NULL)
        return 0;
    if (variables->watchdog_pid != NULL) {
        if (!num_parse_u64(span_str(variables->watchdog_pid), INT32_MAX, &pid))
            return -EINVAL;
        if (pid != (uint64_t)self)
            return 0; /* it waits for another process */
    }
    if (!num_parse_u64(span_str(variables->watchdog_usec), INT64_MAX, &usec) ||
        usec == 0)
        return -EINVAL;
    *ret_ms = usec / 1000 / 2;
    if (*ret_ms == 0)
        *ret_ms = 1;
    return 0;
}

int sd_notify_open(const struct sd_notify_variables *variables, pid_t self,
    struct sd_notify *ret)
{
    int failed = 0;

    *ret = (struct sd_notify){.fd = -1};
    if (variables->socket == NULL || variables->socket[0] == '\0')
        return 0;
    failed = connect_to(variables->socket, &ret->fd);
    return failed != 0 ? failed
                       : read_watchdog(variables, self, &ret->watchdog_ms);
}

int sd_notify_send(const struct sd_notify *n, const char *message)
{
    if (n->fd < 0)
        return 0;
    return send(n->fd, message, strlen(message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void sd_notify_feed(struct sd_notify *n, uint64_t now_ms)
{
    if (n->watchdog_ms == 0 ||
        (n->fed_ms != 0 && now_ms - n->fed_ms < n->watchdog_ms))
        return;
    n->fed_ms = now_ms;
    IGNORE(sd_notify_send(n, "WATCHDOG=1") != 0,
        "the manager then acts, and the next one is due soon");
}

void sd_notify_close(struct sd_notify *n)
{
    if (n->fd >= 0)
        (void)close(n->fd);
    n->fd = -1;
}
