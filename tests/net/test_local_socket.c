#include "net/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cmocka_all.h"

static const struct local_descriptors none = {.count = 0};

/* A directory of our own, and a path in it. */
struct place {
    char dir[64];
    char path[96];
};

static struct place make_place(void)
{
    struct place p = {.dir = "/tmp/local_socket.XXXXXX"};

    assert_non_null(mkdtemp(p.dir));
    assert_true(text_format(p.path, sizeof(p.path), "%s/socket", p.dir));
    return p;
}

static void clean(const struct place *p)
{
    (void)unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0);
}

static int accept_on(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    assert_true(fd >= 0);
    return fd;
}

/* The two ends of a connection made at a path. */
struct ends {
    int listener;
    int near;
    int far;
};

static struct ends meet(const struct place *p)
{
    struct ends e = {-1, -1, -1};

    assert_int_equal(local_socket_listen(p->path, &e.listener), 0);
    assert_int_equal(local_socket_connect(p->path, &e.near), 0);
    e.far = accept_on(e.listener);
    return e;
}

static void part(const struct ends *e)
{
    (void)close(e->listener);
    if (e->near >= 0)
        (void)close(e->near);
    (void)close(e->far);
}

static void paths(void **state)
{
    char longest[LOCAL_SOCKET_PATH_MAX + 2] = "/";

    (void)state;
    memset(longest + 1, 'x', LOCAL_SOCKET_PATH_MAX - 1);
    assert_true(local_socket_is_path(longest));
    longest[LOCAL_SOCKET_PATH_MAX] = 'x';
    assert_false(local_socket_is_path(longest));
    assert_true(local_socket_is_path("/a"));
    assert_false(local_socket_is_path("/"));
    assert_false(local_socket_is_path("/a/"));
    assert_false(local_socket_is_path("a"));
    assert_false(local_socket_is_path(""));
}

static void only_this_user_may_open_it(void **state)
{
    struct place p = make_place();
    mode_t mask = umask(0);
    struct ends e = meet(&p);
    struct stat st;
    pid_t pid = 0;

    (void)state;
    assert_int_equal(umask(mask), 0); /* as it was */
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    assert_true(local_socket_peer_is_ours(e.far, &pid));
    assert_int_equal(pid, getpid());
    assert_true(local_socket_peer_is_ours(e.near, &pid));
    part(&e);
    clean(&p);
}

/* Another user, who was let in by root's rights: its uid tells. */
static void a_stranger_is_known(void **state)
{
    struct place p = make_place();
    struct ends e = {-1, -1, -1};
    pid_t child = 0;
    pid_t pid = 0;
    char byte = 0;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(p.dir, 0755), 0);
    assert_int_equal(local_socket_listen(p.path, &e.listener), 0);
    assert_int_equal(chmod(p.path, 0666), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        int error = 0;

        (void)text_format(un.sun_path, sizeof(un.sun_path), "%s", p.path);
        if (setresuid(65534, 65534, 65534) < 0 ||
            connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
            error = 1;
        (void)read(fd, &byte, 1);
        _exit(error);
    }

    int status = 0;

    do {
        e.far = accept4(e.listener, NULL, NULL, SOCK_CLOEXEC);
    } while (
        e.far < 0 && errno == EAGAIN && waitpid(child, &status, WNOHANG) == 0);
    assert_true(e.far >= 0);
    assert_false(local_socket_peer_is_ours(e.far, &pid));
    (void)close(e.far);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(e.listener);
    clean(&p);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct place p = make_place();
    int fd = -1;
    int other = -1;

    (void)state;
    assert_int_equal(local_socket_connect(p.path, &other), -ENOENT);
    assert_int_equal(local_socket_listen(p.path, &fd), 0);
    assert_int_equal(local_socket_listen(p.path, &other), -EADDRINUSE);
    (void)close(fd);
    assert_int_equal(local_socket_connect(p.path, &other), -ECONNREFUSED);
    assert_int_equal(local_socket_listen(p.path, &fd), 0);
    assert_int_equal(local_socket_connect(p.path, &other), 0);
    (void)close(other);
    (void)close(fd);
    clean(&p);
}

/* What is not a socket of ours in a directory of ours is left alone. */
static void other_things_stay(void **state)
{
    struct place p = make_place();
    char link_path[96];
    char below[128];
    int fd = -1;
    struct stat st;

    (void)state;
    assert_true(text_format(link_path, sizeof(link_path), "%s.link", p.dir));
    assert_true(text_format(below, sizeof(below), "%s/socket", link_path));
    assert_int_equal(symlink(p.dir, link_path), 0);
    assert_int_equal(local_socket_listen(below, &fd), -ENOTDIR);
    assert_int_equal(local_socket_connect(below, &fd), -ENOTDIR);
    assert_int_equal(unlink(link_path), 0);

    fd = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(local_socket_listen(p.path, &fd), -ENOTSOCK);
    assert_int_equal(local_socket_connect(p.path, &fd), -ENOTSOCK);
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(unlink(p.path), 0);

    assert_int_equal(symlink("elsewhere", p.path), 0);
    assert_int_equal(local_socket_listen(p.path, &fd), -ENOTSOCK);
    assert_int_equal(lstat(p.path, &st), 0);
    assert_int_equal(unlink(p.path), 0);

    assert_int_equal(chmod(p.dir, 0770), 0);
    assert_int_equal(local_socket_listen(p.path, &fd), -EPERM);
    assert_int_equal(chmod(p.dir, 0702), 0);
    assert_int_equal(local_socket_connect(p.path, &fd), -EPERM);
    clean(&p);
    assert_int_equal(
        local_socket_listen("/nowhere.at.all/socket", &fd), -ENOENT);
    assert_int_equal(local_socket_listen("relative", &fd), -EINVAL);
}

static void a_directory_of_another_is_refused(void **state)
{
    struct place p = make_place();
    int fd = -1;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(p.dir, 65534, 65534), 0);
    assert_int_equal(local_socket_listen(p.path, &fd), -EPERM);
    assert_int_equal(chown(p.dir, 0, 0), 0);
    assert_int_equal(local_socket_listen(p.path, &fd), 0);
    (void)close(fd);
    assert_int_equal(chown(p.path, 65534, 65534), 0);
    assert_int_equal(local_socket_connect(p.path, &fd), -EPERM);
    assert_int_equal(local_socket_listen(p.path, &fd), -EPERM);
    clean(&p);
}

static void descriptors_go_along(void **state)
{
    struct place p = make_place();
    struct ends e = meet(&p);
    int pipe_fds[2];
    uint8_t buf[16];
    struct local_descriptors got = {.count = 0};
    struct local_descriptors put = {.count = LOCAL_SOCKET_DESCRIPTORS_MAX};
    char byte = 'x';

    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    for (size_t i = 0; i < put.count; i++)
        put.fds[i] = pipe_fds[1];
    assert_int_equal(
        local_socket_receive(e.far, buf, sizeof(buf), &got), -EAGAIN);
    assert_int_equal(local_socket_send(e.near, LIT("many"), &put), 0);
    assert_int_equal(local_socket_send(e.near, LIT("bare"), &none), 0);
    assert_int_equal(local_socket_receive(e.far, buf, sizeof(buf), &got), 4);
    assert_memory_equal(buf, "many", 4);
    assert_int_equal(got.count, put.count);
    for (size_t i = 0; i < got.count; i++)
        assert_int_equal(fcntl(got.fds[i], F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(got.fds[got.count - 1], &byte, 1), 1);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    local_descriptors_close(&got);
    assert_int_equal(got.count, 0);
    assert_int_equal(local_socket_receive(e.far, buf, sizeof(buf), &got), 4);
    assert_memory_equal(buf, "bare", 4);
    assert_int_equal(got.count, 0);
    (void)close(e.near);
    e.near = -1;
    assert_int_equal(
        local_socket_receive(e.far, buf, sizeof(buf), &got), -EPIPE);
    assert_int_equal(local_socket_send(e.far, LIT("late"), &none), -EPIPE);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    part(&e);
    clean(&p);
}

/* What was said before the end is heard, though not all was listened to. */
static void last_words_are_heard(void **state)
{
    struct place p = make_place();
    struct ends e = meet(&p);
    struct local_descriptors got = {.count = 0};
    uint8_t buf[16];

    (void)state;
    assert_int_equal(local_socket_send(e.near, LIT("unread"), &none), 0);
    assert_int_equal(local_socket_send(e.far, LIT("last"), &none), 0);
    (void)close(e.far);
    e.far = dup(e.listener);
    assert_int_equal(local_socket_receive(e.near, buf, sizeof(buf), &got), 4);
    assert_memory_equal(buf, "last", 4);
    assert_int_equal(
        local_socket_receive(e.near, buf, sizeof(buf), &got), -EPIPE);
    part(&e);
    clean(&p);
}

/* A message that does not fit is dropped with all that it carries. */
static void what_is_too_large_leaves_nothing(void **state)
{
    struct place p = make_place();
    struct ends e = meet(&p);
    struct local_descriptors put = {.fds = {e.listener}, .count = 1};
    struct local_descriptors got = {.count = 0};
    uint8_t buf[4];
    int before = dup(0);
    int after = -1;

    (void)state;
    assert_true(before >= 0);
    (void)close(before);
    assert_int_equal(local_socket_send(e.near, LIT("five5"), &put), 0);
    assert_int_equal(
        local_socket_receive(e.far, buf, sizeof(buf), &got), -EMSGSIZE);
    assert_int_equal(got.count, 0);
    after = dup(0);
    assert_int_equal(after, before); /* the lowest that is free */
    (void)close(after);
    part(&e);
    clean(&p);
}

RUN_TESTS("local_socket", cmocka_unit_test(paths),
    cmocka_unit_test(only_this_user_may_open_it),
    cmocka_unit_test(a_stranger_is_known),
    cmocka_unit_test(a_stale_socket_is_replaced),
    cmocka_unit_test(other_things_stay),
    cmocka_unit_test(a_directory_of_another_is_refused),
    cmocka_unit_test(descriptors_go_along),
    cmocka_unit_test(last_words_are_heard),
    cmocka_unit_test(what_is_too_large_leaves_nothing));
