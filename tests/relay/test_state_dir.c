#include "relay/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#include "cmocka_all.h"

static char top[64];

static int set_up(void **state)
{
    (void)state;
    (void)text_format(top, sizeof(top), "/tmp/relay-test-XXXXXX");
    return mkdtemp(top) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)umask(022);
    (void)text_format(command, sizeof(command), "rm -rf %s", top);
    return system(command); /* NOLINT: a path of ours */
}

/* A path below the top directory; the next call overwrites it. */
static const char *below(const char *rest)
{
    static char path[256];

    assert_true(text_format(path, sizeof(path), "%s%s", top, rest));
    return path;
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void made_private_whatever_the_umask(void **state)
{
    static const mode_t masks[] = {0, 022, 0277, 0777};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        int lock = -1;

        (void)umask(masks[i]);
        assert_int_equal(state_dir_make(below("/a/b")), 0);
        assert_int_equal(mode_of(below("/a")), S_IFDIR | 0700);
        assert_int_equal(mode_of(below("/a/b")), S_IFDIR | 0700);
        assert_int_equal(state_dir_lock(below("/a/b"), &lock), 0);
        assert_int_equal(
            mode_of(below("/a/b/" STATE_DIR_LOCK)), S_IFREG | 0600);
        assert_int_equal(umask(022), masks[i]);
        (void)close(lock);
        assert_int_equal(unlink(below("/a/b/" STATE_DIR_LOCK)), 0);
        assert_int_equal(rmdir(below("/a/b")), 0);
        assert_int_equal(rmdir(below("/a")), 0);
    }
    assert_int_equal(state_dir_make(""), -ENOENT);
}

static void what_exists_is_left_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below("/a"), 0700), 0);
    assert_int_equal(chmod(below("/a"), 0751), 0);
    assert_int_equal(state_dir_make(below("/a")), 0);
    assert_int_equal(mode_of(below("/a")), S_IFDIR | 0751);
}

static void one_instance_holds_the_lock(void **state)
{
    char text[32] = "";
    int lock = -1;
    int other = -1;

    (void)state;
    assert_int_equal(state_dir_lock(top, &lock), 0);
    assert_int_equal(state_dir_lock(top, &other), -EAGAIN);
    assert_true(pread(lock, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(strtol(text, NULL, 10), getpid());
    (void)close(lock);
    assert_int_equal(state_dir_lock(top, &other), 0);
    (void)close(other);
}

/* Another process gets the descriptor: it is the same lock, without a moment
 * in which nobody holds it. */
static void a_lock_is_handed_over(void **state)
{
    int lock = -1;
    int handed = -1;
    int other = -1;

    (void)state;
    assert_int_equal(state_dir_lock(top, &lock), 0);
    handed = dup(lock);
    assert_int_equal(state_dir_adopt(top, handed), 0);
    (void)close(lock);
    assert_int_equal(state_dir_lock(top, &other), -EAGAIN);
    assert_int_equal(state_dir_adopt(top, handed), 0);
    (void)close(handed);
    assert_int_equal(state_dir_lock(top, &other), 0);
    (void)close(other);
}

static void what_is_handed_over_may_be_no_lock(void **state)
{
    int lock = -1;
    int other = -1;

    (void)state;
    other = open(below("/" STATE_DIR_LOCK ".other"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(state_dir_adopt(top, other), -ENOENT);
    assert_int_equal(state_dir_lock(top, &lock), 0);
    assert_int_equal(state_dir_adopt(top, other), -EXDEV);
    (void)close(other);
    other = open(below("/" STATE_DIR_LOCK), O_RDWR); /* held by another */
    assert_int_equal(state_dir_adopt(top, other), -EAGAIN);
    (void)close(other);
    other = open("/dev/null", O_RDWR);
    assert_int_equal(state_dir_adopt(top, other), -EBADF);
    (void)close(other);
    assert_int_equal(symlink(".", below("/link")), 0);
    assert_int_equal(state_dir_adopt(below("/link"), lock), -ENOTDIR);
    (void)close(lock);
}

/* What was there before, longer or not, is gone. */
static void a_lock_names_its_process(void **state)
{
    char text[32] = "";
    int lock = -1;

    (void)state;
    assert_int_equal(state_dir_lock(top, &lock), 0);
    assert_int_equal(write(lock, "12345678901234567890", 20), 20);
    assert_int_equal(state_dir_sign(lock), 0);
    assert_true(pread(lock, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(strtol(text, NULL, 10), getpid());
    (void)close(lock);
}

static void a_lock_that_is_none(void **state)
{
    int lock = -1;

    (void)state;
    /* Does not wait for the other end. */
    assert_int_equal(mkfifo(below("/" STATE_DIR_LOCK), 0600), 0);
    assert_int_equal(state_dir_lock(top, &lock), -EBADF);
    assert_int_equal(unlink(below("/" STATE_DIR_LOCK)), 0);
    assert_int_equal(symlink("/dev/null", below("/" STATE_DIR_LOCK)), 0);
    assert_int_equal(state_dir_lock(top, &lock), -ELOOP);
    assert_int_equal(unlink(below("/" STATE_DIR_LOCK)), 0);
    if (geteuid() == 0) {
        int theirs = open(below("/" STATE_DIR_LOCK), O_RDWR | O_CREAT, 0666);

        assert_int_equal(fchown(theirs, 65532, 65532), 0);
        (void)close(theirs);
        assert_int_equal(state_dir_lock(top, &lock), -EBADF);
    }
    assert_int_equal(lock, -1);
}

static void the_directory_is_no_link(void **state)
{
    int lock = -1;

    (void)state;
    assert_int_equal(mkdir(below("/a"), 0700), 0);
    assert_int_equal(symlink("a", below("/link")), 0);
    assert_int_equal(state_dir_lock(below("/link"), &lock), -ENOTDIR);
    assert_int_equal(access(below("/a/" STATE_DIR_LOCK), F_OK), -1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("state_dir", CASE(made_private_whatever_the_umask),
    CASE(what_exists_is_left_as_it_is), CASE(one_instance_holds_the_lock),
    CASE(a_lock_is_handed_over), CASE(what_is_handed_over_may_be_no_lock),
    CASE(a_lock_names_its_process), CASE(a_lock_that_is_none),
    CASE(the_directory_is_no_link));
