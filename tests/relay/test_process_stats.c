#include "relay/process_stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"

#define TAIL                                                                   \
    " S 1 2 3 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 5 0 777 888832 99 "    \
    "18446744073709551615 1 1 0\n"

static void a_stat_line_is_read_behind_the_name(void **state)
{
    static const char *const names[] = {
        "7 (relay)", "7 (a) b ((c)", "7 () S 9 9 9 9 9)", "7 (\n)"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct process_stat_line line = {0};
        char text[256];
        int len = snprintf(text, sizeof(text), "%s" TAIL, names[i]);

        assert_true(
            process_stats_parse_stat(span_of(text, (size_t)len), &line));
        assert_int_equal(line.start_ticks, 777);
        assert_int_equal(line.virtual_bytes, 888832);
        assert_int_equal(line.resident_pages, 99);
    }
}

static void what_is_no_stat_line_is_refused(void **state)
{
    static const char *const bad[] = {"", "7 relay" TAIL, "7 (relay)",
        "7 (relay) S 1 2",
        "7 (r) S 1 2 3 0 -1 4 1 2 0 0 1 2 3 4 20 0 5 0 x 8 9",
        "7 (r) S 1 2 3 0 -1 4 1 2 0 0 1 2 3 4 20 0 5 0 7 -8 9",
        "7 (r) S 1 2 3 0 -1 4 1 2 0 0 1 2 3 4 20 0 5 0 7 8"};
    struct process_stat_line line = {.start_ticks = 5};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *exact = malloc(strlen(bad[i]) + 1);

        assert_non_null(exact);
        memcpy(exact, bad[i], strlen(bad[i]));
        assert_false(
            process_stats_parse_stat(span_of(exact, strlen(bad[i])), &line));
        free(exact);
    }
    assert_int_equal(line.start_ticks, 5);
}

static void the_boot_time_is_found_among_other_lines(void **state)
{
    uint64_t boot_s = 0;

    (void)state;
    assert_true(process_stats_parse_boot_time(
        LIT("cpu 1 2\nbtime 1790000000\nprocesses 3\n"), &boot_s));
    assert_int_equal(boot_s, 1790000000);
    assert_false(process_stats_parse_boot_time(LIT(""), &boot_s));
    assert_false(process_stats_parse_boot_time(LIT("btime \n"), &boot_s));
    assert_false(process_stats_parse_boot_time(LIT("xbtime 5\n"), &boot_s));
    assert_false(process_stats_parse_boot_time(
        LIT("btime 18446744073709551615\n"), &boot_s));
}

static void a_reading_agrees_with_the_kernel(void **state)
{
    struct process_stats_source source;
    struct process_stats first;
    struct process_stats second;
    struct rlimit limit;
    struct timespec now;
    int fd = -1;
    size_t len = 8U << 20;
    uint8_t *memory = NULL;

    (void)state;
    process_stats_open(&source);
    process_stats_read(&source, &first);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_true(memory != MAP_FAILED);
    process_stats_read(&source, &second);
    assert_int_equal(
        second.values[PROCESS_OPEN_FDS], first.values[PROCESS_OPEN_FDS] + 1);
    assert_true(second.values[PROCESS_VIRTUAL_BYTES] >=
                first.values[PROCESS_VIRTUAL_BYTES] + len);
    assert_true(second.values[PROCESS_RESIDENT_BYTES] >
                first.values[PROCESS_RESIDENT_BYTES] + len / 2);
    assert_true(second.values[PROCESS_CPU_US] >= first.values[PROCESS_CPU_US]);
    assert_true(second.values[PROCESS_CPU_US] > 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(second.values[PROCESS_MAX_FDS], limit.rlim_cur);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    assert_true(
        second.values[PROCESS_START_MS] / 1000 <= (uint64_t)now.tv_sec + 1);
    assert_true(
        second.values[PROCESS_START_MS] / 1000 > (uint64_t)now.tv_sec - 3600);
    assert_int_equal(munmap(memory, len), 0);
    assert_int_equal(close(fd), 0);
    process_stats_close(&source);
}

/* As on kernels before 6.2, where the directory's size is 0: entries of some
 * other directory stand for descriptors. */
static void descriptors_are_counted_where_the_size_says_nothing(void **state)
{
    struct process_stats_source source = {.stat_fd = -1};
    struct process_stats stats;

    (void)state;
    source.fds = opendir("/proc/self/ns");
    assert_non_null(source.fds);
    for (size_t i = 0; i < 2; i++) {
        process_stats_read(&source, &stats);
        assert_true(stats.values[PROCESS_OPEN_FDS] >= 5);
        assert_true(stats.values[PROCESS_OPEN_FDS] < 20);
    }
    process_stats_close(&source);
}

static void what_cannot_be_opened_is_unknown(void **state)
{
    struct process_stats_source source = {
        .stat_fd = -1, .start_ms = PROCESS_STAT_UNKNOWN};
    struct process_stats stats;

    (void)state;
    process_stats_read(&source, &stats);
    assert_true(stats.values[PROCESS_OPEN_FDS] == PROCESS_STAT_UNKNOWN);
    assert_true(stats.values[PROCESS_RESIDENT_BYTES] == PROCESS_STAT_UNKNOWN);
    assert_true(stats.values[PROCESS_START_MS] == PROCESS_STAT_UNKNOWN);
    assert_true(stats.values[PROCESS_CPU_US] != PROCESS_STAT_UNKNOWN);
    process_stats_close(&source);
}

RUN_TESTS("process_stats",
    cmocka_unit_test(a_stat_line_is_read_behind_the_name),
    cmocka_unit_test(what_is_no_stat_line_is_refused),
    cmocka_unit_test(the_boot_time_is_found_among_other_lines),
    cmocka_unit_test(a_reading_agrees_with_the_kernel),
    cmocka_unit_test(descriptors_are_counted_where_the_size_says_nothing),
    cmocka_unit_test(what_cannot_be_opened_is_unknown));
