/* The facts of systems that are not Linux: what POSIX has.  Linux-only rows
 * are then not applicable. */
#include "posture/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"
#include "posture/facts_files.h"

static void name_system(char *ret, size_t cap)
{
    struct utsname name;
    struct text t = text_over(ret, cap);

    if (uname(&name) < 0) {
        text_add_str(&t, "this system");
        return;
    }
    for (const char *p = name.sysname; *p != '\0'; p++)
        text_add_char(&t, *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p);
}

int facts_look(int dir, const char *name, struct stat *ret, int *ret_fd)
{
    CLOSES int fd = -1;

    if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (!S_ISDIR(ret->st_mode))
        return 0;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Once more: what was opened is what is judged. */
    if (fd < 0 || fstat(fd, ret) < 0)
        return errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

/* POSIX has no way to ask what modes mean. */
struct facts_mount facts_mount_of(
    int fd, const char *path, const struct stat *st)
{
    struct statvfs vfs;

    (void)path;
    (void)st;
    return (struct facts_mount){
        .read_only = fstatvfs(fd, &vfs) == 0 && (vfs.f_flag & ST_RDONLY) != 0,
    };
}

int facts_lock_is_held(int fd, bool *ret)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &whole) < 0)
        return errno;
    *ret = whole.l_type != F_UNLCK;
    return 0;
}

const char *facts_error_text(int error)
{
    return strerror(error); /* NOLINT(concurrency-mt-unsafe) */
}

void facts_collect(const struct posture_policy *policy,
    enum posture_phase phase, struct posture_facts *ret)
{
    ret->linux_facts = false;
    name_system(ret->system, sizeof(ret->system));
    facts_environment(policy, ret);
    ret->ids = (struct fact_ids){
        .known = true,
        .real = getuid(),
        .effective = geteuid(),
        .saved_error = ENOSYS, /* POSIX has no call that tells it */
        .filesystem_error = ENOSYS,
    };
    if (phase != POSTURE_PHASE_BOOT)
        return;
    ret->euid = geteuid();
    ret->egid = getegid();
    if (policy->cert_cache != NULL)
        facts_directory(policy->cert_cache, &ret->cert_cache);
    for (size_t i = 0; i < policy->key_file_count; i++)
        facts_file(policy->key_files[i].name, &ret->key_files[i]);
    if (policy->lock_path != NULL)
        facts_lock(policy->lock_path, &ret->lock);
}
