#include "net/sd_listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

struct sd_listen_variables sd_listen_environment(void)
{
    return (struct sd_listen_variables){
        .pid = getenv("LISTEN_PID"),       /* NOLINT(concurrency-mt-unsafe) */
        .fds = getenv("LISTEN_FDS"),       /* NOLINT(concurrency-mt-unsafe) */
        .names = getenv("LISTEN_FDNAMES"), /* NOLINT(concurrency-mt-unsafe) */
    };
}

static bool is_for(const char *pid, pid_t self)
{
    uint64_t number = 0;

    return pid != NULL && num_parse_u64(span_str(pid), INT32_MAX, &number) &&
           number == (uint64_t)self;
}

static size_t count_names(const char *names)
{
    size_t count = 1;

    for (; *names != '\0'; names++)
        count += *names == ':';
    return count;
}

/* Copy the name that *names begins with, cut to fit, and step behind it. */
static void next_name(const char **names, char ret[INHERITED_NAME_LEN])
{
    size_t len = strcspn(*names, ":");
    size_t kept = len < INHERITED_NAME_LEN ? len : INHERITED_NAME_LEN - 1;

    memcpy(ret, *names, kept);
    ret[kept] = '\0';
    *names += len + ((*names)[len] == ':');
}

int sd_listen(const struct sd_listen_variables *variables, pid_t self,
    struct inherited *ret)
{
    const char *names = variables->names == NULL ? "" : variables->names;
    uint64_t count = 0;
    int failed = 0;

    if (variables->fds == NULL || !is_for(variables->pid, self))
        return 0;
    if (!num_parse_u64(span_str(variables->fds), INT32_MAX, &count))
        return -EINVAL;
    if (count > INHERITED_MAX - ret->count)
        return -ENFILE;
    if (variables->names != NULL && count_names(names) != count)
        return -EPROTO;
    for (int i = 0; i < (int)count && failed == 0; i++) {
        char name[INHERITED_NAME_LEN];

        next_name(&names, name);
        failed = inherited_add(ret,
            (struct listener_socket){.fd = SD_LISTEN_FIRST + i, .lent = true},
            name);
    }
    return failed;
}
