#include "relay/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"

/* The umask may take bits from the owner too, who then could not use what was
 * made; nothing here is for anybody else. */
static int make_private(const char *path)
{
    mode_t mask = umask(077);
    int failed = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;

    (void)umask(mask);
    return failed;
}

int state_dir_make(const char *path)
{
    char partial[1024];
    size_t len = strlen(path);

    if (len == 0)
        return -ENOENT;
    if (len >= sizeof(partial))
        return -ENAMETOOLONG;
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        int failed = 0;

        if (partial[i] != '/' && partial[i] != '\0')
            continue;
        partial[i] = '\0';
        failed = make_private(partial);
        if (failed != 0)
            return failed;
        partial[i] = path[i];
    }
    return 0;
}

static int open_lock(int dir)
{
    /* O_NONBLOCK: a pipe in its place would hold the boot for ever. */
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    mode_t mask = umask(077);
    int fd = openat(dir, STATE_DIR_LOCK, flags, 0600);
    int failed = fd < 0 ? -errno : 0;

    (void)umask(mask);
    return fd < 0 ? failed : fd;
}

static bool is_our_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

int state_dir_sign(int fd)
{
    char text[32];
    ssize_t len = 0;

    (void)text_format(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0)
        return -errno;
    len = pwrite(fd, text, strlen(text), 0);
    if (len < 0)
        return -errno;
    return (size_t)len == strlen(text) ? 0 : -EIO;
}

static int lock_whole(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
        return errno == EACCES ? -EAGAIN : -errno;
    return 0;
}

int state_dir_adopt(const char *directory, int fd)
{
    struct stat handed;
    struct stat there;
    CLOSES int dir =
        open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0 || fstat(fd, &handed) < 0 ||
        fstatat(dir, STATE_DIR_LOCK, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!is_our_file(fd))
        return -EBADF;
    if (handed.st_dev != there.st_dev || handed.st_ino != there.st_ino)
        return -EXDEV;
    return lock_whole(fd);
}

int state_dir_lock(const char *directory, int *ret_fd)
{
    CLOSES int dir =
        open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLOSES int fd = dir < 0 ? -errno : open_lock(dir);
    int failed = 0;

    if (fd < 0)
        return fd;
    if (!is_our_file(fd))
        return -EBADF;
    failed = lock_whole(fd);
    if (failed == 0)
        failed = state_dir_sign(fd);
    if (failed == 0)
        *ret_fd = take_fd(&fd);
    return failed;
}
