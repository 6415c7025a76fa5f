#include "posture/facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"

/* A walk down a path, component by component, without following links but
 * those that it resolves itself and keeps as components. */
struct walk {
    struct fact_directory *ret;
    int fd;                    /* of the directory that was reached */
    char at[FACTS_PATH_MAX];   /* its path */
    char rest[FACTS_PATH_MAX]; /* what is still to come */
    char scratch[FACTS_PATH_MAX];
    int links;
};

enum { LINKS_MAX = 40 };

/* statfs(2) magic of file systems whose modes are made up. */
static bool modes_mean_nothing(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    switch ((unsigned long)fs.f_type & 0xffffffffUL) {
    case 0xff534d42UL: /* CIFS */
    case 0xfe534d42UL: /* SMB2 */
    case 0x01021997UL: /* 9p */
    case 0x00004d44UL: /* FAT */
        return true;
    default:
        return false;
    }
}

static bool stop(struct walk *w, int error, const char *name)
{
    w->ret->error = error;
    (void)text_format(w->ret->at, sizeof(w->ret->at), "%s%s%s", w->at,
        w->at[1] == '\0' || name[0] == '\0' ? "" : "/", name);
    return false;
}

static bool keep_component(struct walk *w, int fd, const char *name)
{
    struct fact_component *to = NULL;
    struct stat st;
    struct statvfs vfs;

    if (w->ret->component_count == FACTS_COMPONENTS_MAX)
        return stop(w, ELOOP, name);
    if (fstat(fd, &st) < 0)
        return stop(w, errno, name);
    to = &w->ret->components[w->ret->component_count++];
    (void)text_format(to->path, sizeof(to->path), "%s%s%s", w->at,
        w->at[1] == '\0' || name[0] == '\0' ? "" : "/", name);
    to->uid = st.st_uid;
    to->mode = st.st_mode;
    to->read_only = fstatvfs(fd, &vfs) == 0 && (vfs.f_flag & ST_RDONLY) != 0;
    return true;
}

static bool go_to_root(struct walk *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    (void)text_format(w->at, sizeof(w->at), "/");
    w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return w->fd >= 0 ? keep_component(w, w->fd, "") : stop(w, errno, "");
}

/* Take the next name off the rest; false at the end. */
static bool take_name(struct walk *w, char ret[NAME_MAX + 1])
{
    size_t start = strspn(w->rest, "/");
    size_t len = strcspn(w->rest + start, "/");

    if (len == 0 || len > NAME_MAX)
        return false;
    memcpy(ret, w->rest + start, len);
    ret[len] = '\0';
    memmove(w->rest, w->rest + start + len, strlen(w->rest + start + len) + 1);
    return true;
}

static bool is_last(const struct walk *w)
{
    return w->rest[strspn(w->rest, "/")] == '\0';
}

/* The link's target takes its place in front of the rest. */
static bool resolve(struct walk *w, int fd, const char *name)
{
    struct text joined = text_over(w->scratch, sizeof(w->scratch));
    ssize_t len = readlinkat(fd, "", w->scratch, sizeof(w->scratch) - 1);

    if (len < 0)
        return stop(w, errno, name);
    if (++w->links > LINKS_MAX)
        return stop(w, ELOOP, name);
    joined.len = (size_t)len;
    text_add_char(&joined, '/');
    text_add_str(&joined, w->rest);
    if (joined.cut)
        return stop(w, ENAMETOOLONG, name);
    memcpy(w->rest, w->scratch, joined.len + 1);
    return w->rest[0] != '/' || go_to_root(w);
}

static bool enter_name(struct walk *w, const char *name)
{
    struct stat st;
    struct text at = text_over(w->scratch, sizeof(w->scratch));
    CLOSES int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        w->ret->missing = true;
        return false;
    }
    if (fd < 0)
        return stop(w, errno, name);
    if (!keep_component(w, fd, name))
        return false;
    if (fstat(fd, &st) < 0)
        return stop(w, errno, name);
    if (S_ISLNK(st.st_mode))
        return !is_last(w) && resolve(w, fd, name);
    if (!S_ISDIR(st.st_mode))
        return stop(w, ENOTDIR, name);
    text_addf(&at, "%s%s%s", w->at, w->at[1] == '\0' ? "" : "/", name);
    if (at.cut)
        return stop(w, ENAMETOOLONG, name);
    memcpy(w->at, w->scratch, at.len + 1);
    (void)close(w->fd);
    w->fd = take_fd(&fd);
    return true;
}

/* Files that are not ours alone are kept; the judge says what is wrong. */
static void keep_file(struct fact_directory *ret, const char *name,
    const struct stat *st, uid_t euid)
{
    bool fine =
        S_ISREG(st->st_mode) && st->st_uid == euid && (st->st_mode & 0177) == 0;

    if (fine || ret->file_count == FACTS_FILES_MAX)
        return;

    struct fact_file *to = &ret->files[ret->file_count++];

    (void)text_format(to->name, sizeof(to->name), "%s", name);
    to->uid = st->st_uid;
    to->mode = st->st_mode;
}

static void list_files(struct walk *w)
{
    int fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    uid_t euid = geteuid();

    if (dir == NULL) {
        w->ret->files_error = errno;
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (;;) {
        struct stat st;
        struct dirent *entry = readdir(dir); /* NOLINT: the stream is ours */

        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            keep_file(w->ret, entry->d_name, &st, euid);
    }
    (void)closedir(dir);
}

static bool set_rest(struct walk *w, const char *path)
{
    if (path[0] == '/')
        return text_format(w->rest, sizeof(w->rest), "%s", path);
    return getcwd(w->at, sizeof(w->at)) != NULL &&
           text_format(w->rest, sizeof(w->rest), "%s/%s", w->at, path);
}

void facts_directory(const char *path, struct fact_directory *ret)
{
    struct walk w = {.ret = ret, .fd = -1};
    char name[NAME_MAX + 1];
    bool going = false;

    if (!set_rest(&w, path)) {
        ret->error = ENAMETOOLONG;
        return;
    }
    going = go_to_root(&w);
    while (going && take_name(&w, name))
        going = enter_name(&w, name);
    if (going) {
        ret->modes_mean_nothing = modes_mean_nothing(w.fd);
        list_files(&w);
    }
    if (w.fd >= 0)
        (void)close(w.fd);
}

void facts_lock(const char *path, struct fact_lock *ret)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len = 0;

    if (fd < 0) {
        ret->error = errno == ENOENT || errno == ENOTDIR ? 0 : errno;
        return;
    }
    if (fcntl(fd, F_OFD_GETLK, &whole) < 0) {
        ret->error = errno;
        return;
    }
    ret->held = whole.l_type != F_UNLCK;
    len = read(fd, ret->holder, sizeof(ret->holder) - 1);
    if (len < 0)
        len = 0;
    ret->holder[len] = '\0';
    ret->holder[strcspn(ret->holder, "\n")] = '\0';
}
