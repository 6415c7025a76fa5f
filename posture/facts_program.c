/* The files of programs: this one's, and the one that will take its place. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/text.h"
#include "posture/facts.h"
#include "posture/file_capability.h"

/* Whether we, by the effective ids, may write to it.  A read-only mount and a
 * program that runs are no. */
static struct fact_number writable(const char *path)
{
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return facts_number(true, 1, 0);
    return facts_number(
        errno == EACCES || errno == EROFS || errno == ETXTBSY || errno == EPERM,
        0, errno);
}

static struct fact_number directory_writable(const char *path)
{
    char directory[FACTS_PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == NULL || slash == path ? 1 : (int)(slash - path);

    (void)text_format(
        directory, sizeof(directory), "%.*s", len, slash == NULL ? "." : path);
    return writable(directory);
}

/* A mount with nosuid gives none, and asks for none. */
static bool gives_nothing(const char *path)
{
    struct statvfs vfs;

    return statvfs(path, &vfs) == 0 && (vfs.f_flag & ST_NOSUID) != 0;
}

static void find_capabilities(const char *path, struct fact_program *ret)
{
    char value[64];
    struct file_capability found = {.set = 0};
    ssize_t len = getxattr(path, "security.capability", value, sizeof(value));
    bool known =
        len >= 0 && file_capability_parse(span_of(value, (size_t)len), &found);

    if (len < 0) {
        ret->capabilities =
            facts_number(errno == ENODATA || errno == ENOTSUP, 0, errno);
        return;
    }
    ret->capabilities = facts_number(known, found.set, EINVAL);
    if (found.needed != 0 && !gives_nothing(path))
        ret->needed = found.needed;
}

/* path is where to look, which may be a link of /proc; ret->path its name. */
static void examine(const char *path, struct fact_program *ret)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        ret->error = errno;
        return;
    }
    ret->mode = st.st_mode;
    ret->deleted = st.st_nlink == 0 && !ret->in_memory;
    ret->writable = writable(path);
    find_capabilities(path, ret);
    if (!ret->deleted && !ret->in_memory)
        ret->directory_writable = directory_writable(ret->path);
}

static void this_program(struct fact_program *ret)
{
    static const char link[] = "/proc/self/exe";
    static const char memory[] = "/memfd:";
    char path[FACTS_PATH_MAX] = "";

    if (readlink(link, path, sizeof(path) - 1) < 0) {
        ret->error = errno;
        return;
    }
    memcpy(ret->path, path, sizeof(path));
    ret->in_memory = strncmp(ret->path, memory, sizeof(memory) - 1) == 0;
    examine(link, ret);
}

void facts_program(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    this_program(&ret->executable);
    if (policy->program == NULL)
        return;
    (void)text_format(
        ret->target.path, sizeof(ret->target.path), "%s", policy->program);
    examine(policy->program, &ret->target);
}
