/* Negative probes: each tries what a sealed process must not be able to do,
 * in a way that leaves nothing behind if it can. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "posture/seal_part.h"

unsigned seal_thread_count(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task = NULL;
    unsigned count = 0;

    if (tasks == NULL)
        return 0;
    while ((task = readdir(tasks)) != NULL) /* NOLINT: the stream is ours */
        count += task->d_name[0] != '.';
    (void)closedir(tasks);
    return count;
}

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

/* Flags that the kernel would refuse with EINVAL: nothing is ever started. */
static bool fork_is_filtered(void)
{
    return syscall(SYS_clone, (unsigned long)CLONE_SIGHAND, 0, 0, 0, 0) < 0 &&
           errno == EPERM;
}

static bool namespaces_are_filtered(void)
{
    return syscall(SYS_clone, (unsigned long)(CLONE_SIGHAND | CLONE_NEWUSER), 0,
               0, 0, 0) < 0 &&
           errno == EPERM;
}

static bool program_is_filtered(void)
{
    return is_filtered(SYS_ptrace) && is_filtered(SYS_init_module) &&
           namespaces_are_filtered();
}

bool seal_probe_filter(const struct seal_plan *plan)
{
    static const long server[] = {
        SYS_bind, SYS_listen, SYS_execve, SYS_execveat, SYS_socket};

    switch (plan->profile) {
    case SEAL_PROFILE_CLIENT:
        return program_is_filtered() && is_filtered(SYS_listen) &&
               is_filtered(SYS_accept4) && is_filtered(SYS_execve);
    case SEAL_PROFILE_PROGRAM:
        return program_is_filtered();
    case SEAL_PROFILE_SERVER:
        break;
    }
    for (size_t i = 0; i < ARRAY_LEN(server); i++) {
        if (!is_filtered(server[i]))
            return false;
    }
    /* Without threads clone(2) is not listed at all, and would end us. */
    return !plan->threads || fork_is_filtered();
}
