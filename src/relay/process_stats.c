#include "relay/process_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/own.h"

/* Fields of /proc/PID/stat behind the name, counted from 0; proc(5) counts
 * the state, the first of them, as 3. */
enum {
    STAT_START_TICKS = 22 - 3,
    STAT_VIRTUAL = 23 - 3,
    STAT_RESIDENT = 24 - 3,
};

enum { STAT_MAX = 1024, KERNEL_STAT_CHUNK = 2048 };

bool process_stats_parse_stat(struct span text, struct process_stat_line *ret)
{
    /* The name is in parentheses, and may hold blanks and parentheses. */
    const uint8_t *name_end =
        text.len == 0 ? NULL : memrchr(text.ptr, ')', text.len);
    struct process_stat_line line = {0};
    struct span rest;

    if (name_end == NULL)
        return false;
    rest = span_from(text, (size_t)(name_end - text.ptr) + 1);
    (void)span_take_until(&rest, ' ');
    for (size_t i = 0; i <= STAT_RESIDENT; i++) {
        struct span field = span_take_until(&rest, ' ');
        uint64_t *to = i == STAT_START_TICKS ? &line.start_ticks
                       : i == STAT_VIRTUAL   ? &line.virtual_bytes
                       : i == STAT_RESIDENT  ? &line.resident_pages
                                             : NULL;

        if (to != NULL && !num_parse_u64(field, UINT64_MAX, to))
            return false;
    }
    *ret = line;
    return true;
}

bool process_stats_parse_boot_time(struct span text, uint64_t *ret)
{
    static const char key[] = "btime ";

    while (text.len > 0) {
        struct span line = span_take_until(&text, '\n');
        size_t len = sizeof(key) - 1;

        if (line.len > len && memcmp(line.ptr, key, len) == 0)
            return num_parse_u64(span_from(line, len), UINT64_MAX / 2000, ret);
    }
    return false;
}

/* What a file holds, as far as it fits; the length or -errno. */
static ssize_t read_at_start(int fd, char *buf, size_t cap)
{
    ssize_t got = 0;

    do {
        got = pread(fd, buf, cap, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static bool read_stat(int fd, struct process_stat_line *ret)
{
    char buf[STAT_MAX];
    ssize_t got = fd < 0 ? -EBADF : read_at_start(fd, buf, sizeof(buf));

    return got > 0 && process_stats_parse_stat(span_of(buf, (size_t)got), ret);
}

/* /proc/stat has a line for each processor before btime; the key may be cut
 * by a chunk's end, so chunks overlap by more than its line. */
static bool read_boot_time(uint64_t *ret)
{
    enum { OVERLAP = 64 };
    CLOSES int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    char buf[KERNEL_STAT_CHUNK];
    off_t at = 0;

    if (fd < 0)
        return false;
    for (;;) {
        ssize_t got = pread(fd, buf, sizeof(buf), at);

        if (got <= 0)
            return false;
        if (process_stats_parse_boot_time(span_of(buf, (size_t)got), ret))
            return true;
        if (got <= OVERLAP)
            return false;
        at += got - OVERLAP;
    }
}

static uint64_t start_time_ms(int stat_fd)
{
    struct process_stat_line line;
    uint64_t boot_s = 0;
    long hz = sysconf(_SC_CLK_TCK);

    if (hz <= 0 || !read_stat(stat_fd, &line) || !read_boot_time(&boot_s))
        return PROCESS_STAT_UNKNOWN;

    uint64_t ticks_per_s = (uint64_t)hz;
    uint64_t s = line.start_ticks / ticks_per_s;
    uint64_t ms = line.start_ticks % ticks_per_s * 1000 / ticks_per_s;

    return (boot_s + s) * 1000 + ms;
}

void process_stats_open(struct process_stats_source *ret)
{
    long page_size = sysconf(_SC_PAGESIZE);

    *ret = (struct process_stats_source){
        .stat_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC),
        .fds = opendir("/proc/self/fd"),
        .page_size = page_size > 0 ? (uint64_t)page_size : 0,
    };
    ret->start_ms = start_time_ms(ret->stat_fd);
}

void process_stats_close(struct process_stats_source *source)
{
    if (source->stat_fd >= 0)
        (void)close(source->stat_fd);
    if (source->fds != NULL)
        (void)closedir(source->fds);
    *source = (struct process_stats_source){.stat_fd = -1};
}

static uint64_t cpu_us(void)
{
    struct timespec used;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) < 0)
        return PROCESS_STAT_UNKNOWN;
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

/* Since Linux 6.2 the directory's size is the number of descriptors. */
static uint64_t open_fds(DIR *fds)
{
    struct stat st;
    const struct dirent *entry = NULL;
    uint64_t count = 0;

    if (fds == NULL)
        return PROCESS_STAT_UNKNOWN;
    if (fstat(dirfd(fds), &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    rewinddir(fds);
    /* One thread at a time reads the stream. */
    while ((entry = readdir(fds)) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        count += entry->d_name[0] != '.';
    return count;
}

static uint64_t max_fds(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return PROCESS_STAT_UNKNOWN;
    return limit.rlim_cur;
}

void process_stats_read(
    const struct process_stats_source *source, struct process_stats *ret)
{
    struct process_stat_line line;
    bool known = read_stat(source->stat_fd, &line);

    *ret = (struct process_stats){
        .values = {
            [PROCESS_CPU_US] = cpu_us(),
            [PROCESS_RESIDENT_BYTES] =
                known ? line.resident_pages * source->page_size
                      : PROCESS_STAT_UNKNOWN,
            [PROCESS_VIRTUAL_BYTES] =
                known ? line.virtual_bytes : PROCESS_STAT_UNKNOWN,
            [PROCESS_OPEN_FDS] = open_fds(source->fds),
            [PROCESS_MAX_FDS] = max_fds(),
            [PROCESS_START_MS] = source->start_ms,
        }};
}
