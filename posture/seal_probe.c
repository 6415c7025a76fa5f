/* Negative probes: each tries what a sealed process must not be able to do,
 * in a way that leaves nothing behind if it can. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "posture/seal_part.h"

static bool is_writable(const struct seal_plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->writable_count; i++) {
        size_t len = strlen(plan->writable[i]);

        if (strncmp(plan->writable[i], path, len) == 0 &&
            (path[len] == '\0' || path[len] == '/' ||
                (len > 0 && path[len - 1] == '/')))
            return true;
    }
    return false;
}

/* An unnamed file in the directories that most systems let everybody write. */
bool seal_probe_files(const struct seal_plan *plan)
{
    static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm", "/"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        CLOSES int fd = -1;

        if (is_writable(plan, places[i]))
            continue;
        fd = open(places[i], O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            return false;
    }
    return true;
}

/* A port of the system's choice is among those that no rule names. */
bool seal_probe_tcp_bind(void)
{
    const struct sockaddr_in any = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    CLOSES int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0;
}

/* The filter is asked before the kernel looks at the arguments: EPERM is its
 * answer, EBADF or EFAULT would be the kernel's. */
static bool is_filtered(long number)
{
    return syscall(number, -1, NULL, 0, 0, 0) < 0 && errno == EPERM;
}

bool seal_probe_filter(enum seal_profile profile)
{
    static const long server[] = {
        SYS_bind, SYS_listen, SYS_execve, SYS_execveat, SYS_socket};

    if (profile == SEAL_PROFILE_PROGRAM)
        return is_filtered(SYS_ptrace) && is_filtered(SYS_init_module);
    for (size_t i = 0; i < ARRAY_LEN(server); i++) {
        if (!is_filtered(server[i]))
            return false;
    }
    return true;
}
