/*
 * What a walk down a real path sees, on the file system of this machine; with
 * the facts of this system, and with those of others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "posture/facts.h"

#include "cmocka_all.h"

static char top[64];
static struct fact_directory *dir;
static struct fact_lock lock;

static int set_up(void **state)
{
    (void)state;
    (void)text_format(top, sizeof(top), "/tmp/posture-test-XXXXXX");
    dir = calloc(1, sizeof(*dir));
    lock = (struct fact_lock){.error = 0};
    return dir != NULL && mkdtemp(top) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    free(dir);
    (void)text_format(command, sizeof(command), "rm -rf %s", top);
    return system(command); /* NOLINT: a path of ours */
}

/* A path below the top directory; the next call overwrites it. */
static const char *below(const char *rest)
{
    static char path[3 * FACTS_PATH_MAX];

    assert_true(text_format(path, sizeof(path), "%s%s", top, rest));
    return path;
}

static void make_file(const char *rest, mode_t mode)
{
    int fd = open(below(rest), O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

static void look(const char *path)
{
    *dir = (struct fact_directory){.error = 0};
    facts_directory(path, dir);
}

static const struct fact_component *last(void)
{
    assert_true(dir->component_count > 0);
    return &dir->components[dir->component_count - 1];
}

static void a_directory_and_its_files(void **state)
{
    (void)state;
    make_file("/good", 0600);
    make_file("/loose", 0644);
    assert_int_equal(mkdir(below("/inner"), 0700), 0);
    look(top);
    assert_int_equal(dir->error, 0);
    assert_false(dir->missing);
    assert_string_equal(dir->components[0].path, "/");
    assert_string_equal(dir->components[1].path, "/tmp");
    assert_string_equal(last()->path, top);
    assert_int_equal(dir->component_count, 3);
    assert_int_equal(last()->mode, S_IFDIR | 0700);
    assert_int_equal(last()->uid, geteuid());
    assert_int_equal(dir->file_count, 2);
    assert_int_equal(dir->files_error, 0);
}

static void what_is_missing_ends_the_walk(void **state)
{
    (void)state;
    look(below("/a/b/c"));
    assert_true(dir->missing);
    assert_int_equal(dir->error, 0);
    assert_string_equal(last()->path, top);
}

static void a_link_on_the_way_is_kept_and_followed(void **state)
{
    char target[128];

    (void)state;
    (void)text_format(target, sizeof(target), "%s", below("/real"));
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(mkdir(below("/real/in"), 0700), 0);
    assert_int_equal(symlink(target, below("/whole")), 0);
    assert_int_equal(symlink("real", below("/part")), 0);
    look(below("/part/in"));
    assert_int_equal(dir->error, 0);
    assert_int_equal(dir->component_count, 6);
    assert_true(S_ISLNK(dir->components[3].mode));
    assert_string_equal(last()->path, below("/real/in"));
    look(below("/whole/in"));
    assert_int_equal(dir->error, 0);
    assert_int_equal(dir->component_count, 9);
    assert_string_equal(last()->path, below("/real/in"));
    /* At the end it is not followed. */
    look(below("/part"));
    assert_int_equal(dir->error, 0);
    assert_true(S_ISLNK(last()->mode));
    assert_int_equal(symlink("loop", below("/loop")), 0);
    look(below("/loop/in"));
    assert_int_equal(dir->error, ELOOP);
    assert_int_equal(dir->obstacle, FACT_OBSTACLE_ERRNO);
}

static void a_file_at_the_end_and_on_the_way(void **state)
{
    (void)state;
    make_file("/file", 0666);
    look(below("/file"));
    assert_int_equal(dir->error, 0);
    assert_true(S_ISREG(last()->mode));
    look(below("/file/in"));
    assert_int_equal(dir->error, ENOTDIR);
    assert_string_equal(dir->at, below("/file"));
    /* It is no directory above that anybody could write to. */
    assert_string_equal(last()->path, top);
}

static void add_names(char *path, size_t cap, char c, size_t len, size_t count)
{
    struct text t = text_over(path, cap);

    text_add_str(&t, top);
    for (size_t i = 0; i < count; i++) {
        text_add_char(&t, '/');
        for (size_t k = 0; k < len; k++)
            text_add_char(&t, c);
    }
    assert_false(t.cut);
}

static void a_name_that_is_too_long(void **state)
{
    char path[600];

    (void)state;
    add_names(path, sizeof(path), 'x', 255, 1);
    look(path);
    assert_true(dir->missing);
    assert_int_equal(dir->error, 0);
    add_names(path, sizeof(path), 'x', 256, 2);
    look(path);
    assert_int_equal(dir->error, ENAMETOOLONG);
    assert_int_equal(dir->obstacle, FACT_OBSTACLE_ERRNO);
    /* Below what would have to be made too. */
    assert_true(text_format(path, sizeof(path), "%s/none/%0300d", top, 0));
    look(path);
    assert_int_equal(dir->error, ENAMETOOLONG);
}

static void a_path_that_is_too_long_or_too_deep(void **state)
{
    char path[2000];

    (void)state;
    add_names(path, sizeof(path), 'x', 200, 8);
    look(path);
    assert_int_equal(dir->obstacle, FACT_OBSTACLE_LENGTH);
    assert_int_equal(dir->error, ENAMETOOLONG);
    assert_memory_equal(dir->at, top, strlen(top));
    add_names(path, sizeof(path), '.', 1, 70);
    look(path);
    assert_int_equal(dir->obstacle, FACT_OBSTACLE_DEPTH);
    assert_int_equal(dir->component_count, FACTS_COMPONENTS_MAX);
    look("");
    assert_int_equal(dir->obstacle, FACT_OBSTACLE_EMPTY);
    assert_int_equal(dir->component_count, 0);
}

/* In a child, which may lose its working directory. */
static int look_from_nowhere(void)
{
    if (chdir(top) < 0 || mkdir("gone", 0700) < 0 || chdir("gone") < 0 ||
        rmdir("../gone") < 0)
        return 1;
    look("certs");
    return dir->obstacle == FACT_OBSTACLE_CWD && dir->error == ENOENT &&
                   strcmp(dir->at, "certs") == 0
               ? 0
               : 2;
}

static int look_from_here(void)
{
    if (chdir(top) < 0 || mkdir("certs", 0700) < 0)
        return 1;
    look("certs");
    return dir->error == 0 && strcmp(last()->path, below("/certs")) == 0 ? 0
                                                                         : 2;
}

static void assert_in_child(int (*act)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(act());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void relative_paths(void **state)
{
    (void)state;
    assert_in_child(look_from_nowhere);
    assert_in_child(look_from_here);
}

static void a_lock_that_is_none(void **state)
{
    (void)state;
    facts_lock(below("/lock"), &lock);
    assert_true(!lock.held && !lock.not_regular && lock.error == 0);
    /* Does not wait for somebody who writes. */
    assert_int_equal(mkfifo(below("/lock"), 0600), 0);
    facts_lock(below("/lock"), &lock);
    assert_true(lock.not_regular && !lock.held && lock.error == 0);
    assert_int_equal(unlink(below("/lock")), 0);
    assert_int_equal(symlink("/dev/null", below("/lock")), 0);
    lock = (struct fact_lock){.error = 0};
    facts_lock(below("/lock"), &lock);
    assert_int_equal(lock.error, ELOOP);
}

static void a_lock_of_another_process(void **state)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int status = 0;
    int held = open(below("/lock"), O_RDWR | O_CREAT, 0600);
    pid_t child = 0;

    (void)state;
    assert_true(held >= 0);
    assert_int_equal(write(held, "4711\n", 5), 5);
    facts_lock(below("/lock"), &lock);
    assert_false(lock.held);
    assert_string_equal(lock.holder, "4711");
    assert_int_equal(fcntl(held, F_SETLK, &whole), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        facts_lock(below("/lock"), &lock);
        _exit(lock.held && lock.error == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(held);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("directory", CASE(a_directory_and_its_files),
    CASE(what_is_missing_ends_the_walk),
    CASE(a_link_on_the_way_is_kept_and_followed),
    CASE(a_file_at_the_end_and_on_the_way), CASE(a_name_that_is_too_long),
    CASE(a_path_that_is_too_long_or_too_deep), CASE(relative_paths),
    CASE(a_lock_that_is_none), CASE(a_lock_of_another_process));
