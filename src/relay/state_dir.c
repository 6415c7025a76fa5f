#include "relay/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"

int state_dir_make(const char *path)
{
    char partial[1024];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(partial))
        return -ENAMETOOLONG;
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (partial[i] != '/' && partial[i] != '\0')
            continue;
        partial[i] = '\0';
        if (mkdir(partial, 0700) < 0 && errno != EEXIST)
            return -errno;
        partial[i] = path[i];
    }
    return 0;
}

int state_dir_lock(const char *path, int *ret_fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char text[32];
    CLOSES int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
        return errno == EACCES ? -EAGAIN : -errno;
    (void)text_format(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 ||
        write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return errno == 0 ? -EIO : -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}
