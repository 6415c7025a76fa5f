#include "posture/facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

enum { FIRST_ACTIVATED = 3 }; /* SD_LISTEN_FDS_START, sd_listen_fds(3) */

static int option(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static uint64_t number(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    uint64_t result = 0;

    if (value == NULL || !num_parse_u64(span_str(value), INT32_MAX, &result))
        return 0;
    return result;
}

/* How many descriptors socket activation handed to this very process. */
static int activated_count(void)
{
    return number("LISTEN_PID") == (uint64_t)getpid()
               ? (int)number("LISTEN_FDS")
               : 0;
}

static bool has_port(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return ((const struct sockaddr_in *)addr)->sin_port != 0;
    return addr->ss_family == AF_INET6 &&
           ((const struct sockaddr_in6 *)addr)->sin6_port != 0;
}

/* A stream that listens, or a datagram socket that is bound to a port. */
static void keep_socket(int fd, int activated, struct fact_sockets *ret)
{
    struct fact_socket found = {.fd = fd, .addr_len = sizeof(found.addr)};
    int accepts = option(fd, SO_ACCEPTCONN);

    if (accepts < 0)
        return; /* no socket */
    found.type = option(fd, SO_TYPE);
    found.protocol = option(fd, SO_PROTOCOL);
    if (getsockname(fd, (struct sockaddr *)&found.addr, &found.addr_len) < 0)
        return;
    if (accepts == 0 && !(found.type == SOCK_DGRAM && has_port(&found.addr)))
        return;
    found.activated = fd >= FIRST_ACTIVATED && fd < FIRST_ACTIVATED + activated;
    if (ret->count < FACTS_SOCKETS_MAX)
        ret->list[ret->count++] = found;
}

/* Without /proc: every number that a descriptor may have. */
static void try_all(int activated, struct fact_sockets *ret)
{
    long max = sysconf(_SC_OPEN_MAX);

    if (max < 0 || max > 65536)
        max = 65536;
    for (int fd = 0; fd < max; fd++)
        keep_socket(fd, activated, ret);
}

static int compare(const void *a, const void *b)
{
    return ((const struct fact_socket *)a)->fd -
           ((const struct fact_socket *)b)->fd;
}

void facts_sockets(struct fact_sockets *ret)
{
    int activated = activated_count();
    DIR *dir = opendir("/proc/self/fd");

    if (dir == NULL) {
        try_all(activated, ret);
        return;
    }
    for (;;) {
        struct dirent *entry = readdir(dir); /* NOLINT: the stream is ours */
        uint64_t fd = 0;

        if (entry == NULL)
            break;
        if (num_parse_u64(span_str(entry->d_name), INT32_MAX, &fd))
            keep_socket((int)fd, activated, ret);
    }
    (void)closedir(dir);
    qsort(ret->list, ret->count, sizeof(ret->list[0]), compare);
}
