#include "relay/capacity.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#include "cmocka_all.h"

#define ANY CAPACITY_NO_LIMIT
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static void threads(void **state)
{
    const struct {
        uint64_t affine;
        uint64_t quota;
        uint64_t want;
        const char *reason;
    } cases[] = {
        {8, ANY, 8, "8: 8 CPUs by affinity, no quota"},
        {8, 2, 2, "2: 8 CPUs by affinity, 2 by the cgroup's quota"},
        {2, 8, 2, "2: 2 CPUs by affinity, 8 by the cgroup's quota"},
        {4, 0, 1, "1: 4 CPUs by affinity, 0 by the cgroup's quota"},
        {ANY, 3, 3, "3: affinity unknown, 3 by the cgroup's quota"},
        {ANY, ANY, 1, "1: affinity unknown, no quota"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct capacity_facts facts = {
            .cpus_affine = cases[i].affine, .cpus_quota = cases[i].quota};
        struct capacity c = capacity_threads(&facts);

        assert_int_equal(c.value, cases[i].want);
        assert_string_equal(c.reason, cases[i].reason);
    }
}

static void connections(void **state)
{
    const struct {
        uint64_t descriptors;
        uint64_t cgroup;
        uint64_t machine;
        uint64_t want;
        const char *reason;
    } cases[] = {
        {65536, ANY, 32 * GIB, 65472,
            "65472: 65536 descriptors less 64; memory would allow 1048576"},
        {65536, 256 * MIB, 32 * GIB, 8192,
            "8192: half of the cgroup's 256 MiB at 16 KiB each; "
            "descriptors would allow 65472"},
        {65536, 4 * GIB, 512 * MIB, 16384,
            "16384: half of the machine's 512 MiB at 16 KiB each; "
            "descriptors would allow 65472"},
        {ANY, 512 * MIB, 512 * MIB, 16384,
            "16384: half of the machine's 512 MiB at 16 KiB each; "
            "descriptors would allow any number"},
        {1048576, ANY, ANY, 1048512,
            "1048512: 1048576 descriptors less 64; memory would allow any "
            "number"},
        {1048640, ANY, 32 * GIB, 1048576,
            "1048576: 1048640 descriptors less 64; memory would allow "
            "1048576"},
        {1073741816, ANY, 64 * GIB, 1048576,
            "1048576: the most without a flag; descriptors would allow "
            "1073741752, memory 2097152"},
        {ANY, ANY, ANY, 1048576,
            "1048576: the most without a flag; descriptors would allow any "
            "number, memory any number"},
        {65, ANY, GIB, 1,
            "1: 65 descriptors less 64; memory would allow 32768"},
        {64, ANY, GIB, 1,
            "1: 64 descriptors less 64; memory would allow 32768"},
        {3, ANY, GIB, 1, "1: 3 descriptors less 64; memory would allow 32768"},
        {1024, 1, GIB, 1,
            "1: half of the cgroup's 0 MiB at 16 KiB each; descriptors would "
            "allow 960"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct capacity_facts facts = {.descriptors = cases[i].descriptors,
            .memory_cgroup = cases[i].cgroup,
            .memory_total = cases[i].machine};
        struct capacity c =
            capacity_connections(&facts, 64, CAPACITY_CONNECTION_BYTES);

        assert_int_equal(c.value, cases[i].want);
        assert_string_equal(c.reason, cases[i].reason);
    }
}

static void the_longest_reasons_fit(void **state)
{
    const struct capacity_facts facts = {.cpus_affine = UINT64_MAX - 1,
        .cpus_quota = UINT64_MAX - 1,
        .descriptors = UINT64_MAX - 1,
        .memory_cgroup = UINT64_MAX - 1,
        .memory_total = UINT64_MAX};

    (void)state;
    assert_in_range(
        strlen(capacity_threads(&facts).reason), 1, CAPACITY_REASON_MAX - 2);
    assert_in_range(
        strlen(
            capacity_connections(&facts, 1, CAPACITY_CONNECTION_BYTES).reason),
        1, CAPACITY_REASON_MAX - 2);
}

/* ---- a directory that looks like /proc/self, and hierarchies beside it ---- */

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
    (void)text_format(command, sizeof(command), "rm -rf %s", top);
    return system(command); /* NOLINT: a path of ours */
}

/* Write a file below the top directory, making the directories on its way. */
static void put(const char *name, const char *text)
{
    char path[256];
    FILE *file = NULL;

    assert_true(text_format(path, sizeof(path), "%s/%s", top, name));
    for (char *at = path + strlen(top) + 1; (at = strchr(at, '/')) != NULL;
         at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A line of mountinfo for a hierarchy below the top directory. */
static void add_mount(
    struct text *t, const char *root, const char *point, const char *type)
{
    text_addf(t, "31 23 0:28 %s %s/%s rw - %s\n", root, top, point, type);
}

static void put_proc(const char *groups, const char *mounts)
{
    put("proc/cgroup", groups);
    put("proc/mountinfo", mounts);
}

static struct capacity_facts read_top(void)
{
    struct capacity_facts facts;
    char proc[128];

    assert_true(text_format(proc, sizeof(proc), "%s/proc", top));
    capacity_read(proc, &facts);
    return facts;
}

static void version_2_up_to_the_mount(void **state)
{
    char mounts[512];
    struct text t = text_over(mounts, sizeof(mounts));
    struct capacity_facts facts;

    (void)state;
    text_add_str(&t, "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    add_mount(&t, "/", "cg", "cgroup2 cgroup2 rw");
    put_proc("0::/pods/relay\n", mounts);
    put("cg/pods/relay/memory.max", "max\n");
    put("cg/pods/relay/cpu.max", "150000 100000\n");
    put("cg/pods/memory.max", "268435456\n");
    put("cg/pods/cpu.max", "max 100000\n");
    /* Another group, and what is above the mount, are not ours. */
    put("cg/pods/other/memory.max", "1\n");
    put("memory.max", "2\n");
    facts = read_top();
    assert_int_equal(facts.memory_cgroup, 268435456);
    assert_int_equal(facts.cpus_quota, 2);
    put("cg/cpu.max", "50000 100000\n");
    assert_int_equal(read_top().cpus_quota, 1);
}

static void version_1_seen_from_a_container(void **state)
{
    char mounts[512];
    struct text t = text_over(mounts, sizeof(mounts));
    struct capacity_facts facts;

    (void)state;
    add_mount(&t, "/docker/ab", "memory", "cgroup cgroup rw,memory");
    add_mount(&t, "/docker/ab", "cpu", "cgroup cgroup rw,cpu,cpuacct");
    put_proc("4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab/x\n", mounts);
    put("memory/memory.limit_in_bytes", "536870912\n");
    put("cpu/x/cpu.cfs_quota_us", "-1\n");
    put("cpu/x/cpu.cfs_period_us", "100000\n");
    put("cpu/cpu.cfs_quota_us", "250000\n");
    put("cpu/cpu.cfs_period_us", "100000\n");
    facts = read_top();
    assert_int_equal(facts.memory_cgroup, 536870912);
    assert_int_equal(facts.cpus_quota, 3);
}

/* /docker/ab is not above /docker/abc. */
static void another_groups_name_is_no_prefix(void **state)
{
    char mounts[512];
    struct text t = text_over(mounts, sizeof(mounts));

    (void)state;
    add_mount(&t, "/docker/ab", "cg", "cgroup2 cgroup2 rw");
    put_proc("0::/docker/abc\n", mounts);
    put("cgc/memory.max", "1\n");
    put("cg/c/memory.max", "2\n");
    put("cg/memory.max", "3\n");
    assert_int_equal(read_top().memory_cgroup, 3);
}

static void what_cannot_be_read_is_no_limit(void **state)
{
    static const struct {
        const char *groups;
        const char *mounts;
    } cases[] = {{"", ""}, {"0::/\n", "nonsense\n"}, {"nonsense\n", "\n"},
        {"0::/x\n", "1 1 0:1 / /does/not/exist rw - cgroup2 c rw\n"}};

    (void)state;
    assert_true(read_top().memory_cgroup == ANY); /* no file at all */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_proc(cases[i].groups, cases[i].mounts);
        assert_true(read_top().memory_cgroup == ANY);
        assert_true(read_top().cpus_quota == ANY);
    }
}

static void this_process_has_limits(void **state)
{
    struct capacity_facts facts;
    cpu_set_t set;
    struct rlimit limit;

    (void)state;
    CPU_ZERO(&set);
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    capacity_read("/proc/self", &facts);
    assert_int_equal(facts.cpus_affine, CPU_COUNT(&set));
    assert_true(facts.descriptors == limit.rlim_max);
    assert_true(facts.memory_total > 16 * MIB && facts.memory_total != ANY);
}

RUN_TESTS("capacity", cmocka_unit_test(threads), cmocka_unit_test(connections),
    cmocka_unit_test(the_longest_reasons_fit),
    cmocka_unit_test_setup_teardown(
        version_2_up_to_the_mount, set_up, tear_down),
    cmocka_unit_test_setup_teardown(
        version_1_seen_from_a_container, set_up, tear_down),
    cmocka_unit_test_setup_teardown(
        another_groups_name_is_no_prefix, set_up, tear_down),
    cmocka_unit_test_setup_teardown(
        what_cannot_be_read_is_no_limit, set_up, tear_down),
    cmocka_unit_test(this_process_has_limits));
