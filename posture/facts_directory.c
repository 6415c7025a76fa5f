#include "posture/facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"
#include "posture/facts_files.h"

/* A walk down a path, component by component, without following links but
 * those that it resolves itself and keeps as components. */
struct walk {
    struct fact_directory *ret;
    int fd; /* of the directory that was reached */
    dev_t root_dev;
    char at[FACTS_PATH_MAX];   /* its path */
    char rest[FACTS_PATH_MAX]; /* what is still to come */
    char scratch[FACTS_PATH_MAX];
    int links;
    bool follow_last; /* a link at the very end, too */
};

enum { LINKS_MAX = 40 };

/* The path of name in the directory that was reached; false if it was cut. */
static bool path_of(const struct walk *w, const char *name, char *ret)
{
    bool apart = w->at[0] != '\0' && w->at[1] != '\0' && name[0] != '\0';

    return text_format(
        ret, FACTS_PATH_MAX, "%s%s%s", w->at, apart ? "/" : "", name);
}

static bool stop(struct walk *w, int error, const char *name)
{
    w->ret->error = error;
    (void)path_of(w, name, w->ret->at);
    return false;
}

static bool stop_before(
    struct walk *w, enum fact_obstacle obstacle, int error, const char *name)
{
    w->ret->obstacle = obstacle;
    return stop(w, error, name);
}

/* fd is of the component if it is a directory. */
static bool keep_component(
    struct walk *w, int fd, const char *name, const struct stat *st)
{
    struct fact_component *to = NULL;

    if (w->ret->component_count == FACTS_COMPONENTS_MAX)
        return stop_before(w, FACT_OBSTACLE_DEPTH, ENAMETOOLONG, name);
    to = &w->ret->components[w->ret->component_count];
    if (!path_of(w, name, to->path))
        return stop_before(w, FACT_OBSTACLE_LENGTH, ENAMETOOLONG, name);
    w->ret->component_count++;
    to->uid = st->st_uid;
    to->gid = st->st_gid;
    to->mode = st->st_mode;
    to->links = st->st_nlink;
    if (S_ISDIR(st->st_mode)) {
        to->on_root = st->st_dev == w->root_dev;
        struct facts_mount mount = facts_mount_of(fd, to->path, st);

        to->made_up = mount.made_up;
        to->read_only = mount.read_only;
    }
    return true;
}

/* The directory is reached: the next name is looked for in it. */
static void move_to(struct walk *w, int fd)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = fd;
    memcpy(w->at, w->ret->components[w->ret->component_count - 1].path,
        sizeof(w->at));
}

static bool go_to_root(struct walk *w)
{
    struct stat st;
    CLOSES int fd = -1;
    int error = facts_look(AT_FDCWD, "/", &st, &fd);

    (void)text_format(w->at, sizeof(w->at), "/");
    if (error != 0)
        return stop(w, error, "");
    w->root_dev = st.st_dev;
    if (!keep_component(w, fd, "", &st))
        return false;
    move_to(w, take_fd(&fd));
    return true;
}

static bool is_last(const struct walk *w)
{
    return w->rest[strspn(w->rest, "/")] == '\0';
}

/* Take the next name off the rest, which has one. */
static bool take_name(struct walk *w, char ret[NAME_MAX + 1])
{
    char *name = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(name, "/");

    if (len > NAME_MAX) {
        name[len] = '\0';
        return stop(w, ENAMETOOLONG, name);
    }
    memcpy(ret, name, len);
    ret[len] = '\0';
    memmove(w->rest, name + len, strlen(name + len) + 1);
    return true;
}

/* The link's target takes its place in front of the rest. */
static bool resolve(struct walk *w, const char *name)
{
    struct text joined = text_over(w->scratch, sizeof(w->scratch));
    ssize_t len = readlinkat(w->fd, name, w->scratch, sizeof(w->scratch) - 1);

    if (len < 0)
        return stop(w, errno, name);
    if (++w->links > LINKS_MAX)
        return stop(w, ELOOP, name);
    joined.len = (size_t)len;
    text_add_char(&joined, '/');
    text_add_str(&joined, w->rest);
    if (joined.cut)
        return stop_before(w, FACT_OBSTACLE_LENGTH, ENAMETOOLONG, name);
    memcpy(w->rest, w->scratch, joined.len + 1);
    return w->rest[0] != '/' || go_to_root(w);
}

/* True: go on.  A link or a file at the very end is kept for the judge. */
static bool enter_name(struct walk *w, const char *name)
{
    struct stat st;
    CLOSES int fd = -1;
    int error = facts_look(w->fd, name, &st, &fd);

    if (error == ENOENT) {
        w->ret->missing = true;
        return false;
    }
    if (error == 0 && !is_last(w) && !S_ISDIR(st.st_mode) &&
        !S_ISLNK(st.st_mode))
        error = ENOTDIR;
    if (error != 0)
        return stop(w, error, name);
    if (!keep_component(w, fd, name, &st))
        return false;
    if (S_ISLNK(st.st_mode))
        return (w->follow_last || !is_last(w)) && resolve(w, name);
    if (!S_ISDIR(st.st_mode))
        return false;
    move_to(w, take_fd(&fd));
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

/* 0 or an errno.  A file that went away meanwhile is no error. */
static int look_at_file(int dir, const char *name, struct fact_directory *ret)
{
    struct stat st;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : errno;
    keep_file(ret, name, &st, geteuid());
    return 0;
}

static void list_files(struct walk *w)
{
    int fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        w->ret->files_error = errno;
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (;;) {
        struct dirent *entry = NULL;
        int error = 0;

        errno = 0;            /* the end and a failure look the same else */
        entry = readdir(dir); /* NOLINT: the stream is ours */
        if (entry == NULL)
            break;
        error = look_at_file(fd, entry->d_name, w->ret);
        if (error != 0)
            w->ret->files_error = error;
    }
    if (errno != 0)
        w->ret->files_error = errno;
    (void)closedir(dir);
}

/* The whole path is what is to come. */
static bool set_rest(struct walk *w, const char *path)
{
    bool relative = path[0] != '/';

    if (path[0] == '\0')
        return stop_before(w, FACT_OBSTACLE_EMPTY, ENOENT, "");
    if (relative && getcwd(w->scratch, sizeof(w->scratch)) == NULL) {
        return stop_before(w,
            errno == ERANGE ? FACT_OBSTACLE_LENGTH : FACT_OBSTACLE_CWD, errno,
            path);
    }
    if (!text_format(w->rest, sizeof(w->rest), "%s%s%s",
            relative ? w->scratch : "", relative ? "/" : "", path))
        return stop_before(w, FACT_OBSTACLE_LENGTH, ENAMETOOLONG, path);
    return true;
}

/* What is missing will be made: its names must be possible ones. */
static void check_names(struct walk *w)
{
    char name[NAME_MAX + 1];
    bool possible = true;

    while (possible && !is_last(w))
        possible = take_name(w, name);
}

/* True: to the end, which is a directory. */
static bool walk(struct walk *w, const char *path)
{
    char name[NAME_MAX + 1];
    bool going = set_rest(w, path) && go_to_root(w);

    while (going && !is_last(w))
        going = take_name(w, name) && enter_name(w, name);
    if (w->ret->missing)
        check_names(w);
    return going;
}

void facts_directory(const char *path, struct fact_directory *ret)
{
    struct walk w = {.ret = ret, .fd = -1};

    if (walk(&w, path))
        list_files(&w);
    if (w.fd >= 0)
        (void)close(w.fd);
}

void facts_file(const char *path, struct fact_directory *ret)
{
    struct walk w = {.ret = ret, .fd = -1, .follow_last = true};

    IGNORE(walk(&w, path), "the judge looks at the last component");
    if (w.fd >= 0)
        (void)close(w.fd);
}

void facts_lock(const char *path, struct fact_lock *ret)
{
    /* O_NONBLOCK: a pipe without a writer would hold the boot for ever. */
    CLOSES int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    ssize_t len = 0;

    if (fd < 0) {
        ret->error = errno == ENOENT || errno == ENOTDIR ? 0 : errno;
        return;
    }
    if (fstat(fd, &st) < 0) {
        ret->error = errno;
        return;
    }
    ret->not_regular = !S_ISREG(st.st_mode);
    if (ret->not_regular)
        return;
    ret->error = facts_lock_is_held(fd, &ret->held);
    if (ret->error != 0)
        return;
    len = read(fd, ret->holder, sizeof(ret->holder) - 1);
    if (len < 0)
        len = 0;
    ret->holder[len] = '\0';
    ret->holder[strcspn(ret->holder, "\n")] = '\0';
}
