/* What the kernel lets this process have. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/mountinfo.h"
#include "base/own.h"
#include "base/text.h"
#include "relay/capacity.h"

enum {
    PATH_BYTES = 4096,
    GROUPS_BYTES = 16384, /* of PROC/cgroup; a dozen lines in practice */
    CPUS_FIRST = 1024,    /* CPUs of the set that is tried first */
    CPUS_LAST = 1 << 20,
};

/* Too large for the stack, and for the start only. */
struct scan {
    const char *proc;
    char groups[GROUPS_BYTES];
    char point[PATH_BYTES];     /* where a hierarchy is mounted */
    char root[PATH_BYTES];      /* what of it */
    char directory[PATH_BYTES]; /* of the group that is looked at */
    char file[PATH_BYTES];
};

/* The start of a file that fits into one read; empty if there is none. */
static struct span read_file(const char *path, char *buf, size_t cap)
{
    CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, buf, cap);

    return span_of(buf, len > 0 ? (size_t)len : 0);
}

/* ---- limits of one group ---- */

/* What the directory of a group says into *ret; false if nothing. */
typedef bool limit_fn(struct scan *scan, uint64_t *ret);

static struct span read_limit(
    struct scan *scan, const char *name, char *buf, size_t cap)
{
    if (!text_format(
            scan->file, sizeof(scan->file), "%s/%s", scan->directory, name))
        return span_of(buf, 0);
    return read_file(scan->file, buf, cap);
}

static bool memory_v2(struct scan *scan, uint64_t *ret)
{
    char buf[64];

    return cgroup_limit(read_limit(scan, "memory.max", buf, sizeof(buf)), ret);
}

static bool memory_v1(struct scan *scan, uint64_t *ret)
{
    char buf[64];

    return cgroup_limit(
        read_limit(scan, "memory.limit_in_bytes", buf, sizeof(buf)), ret);
}

static bool cpus_v2(struct scan *scan, uint64_t *ret)
{
    char buf[64];

    return cgroup_cpus(read_limit(scan, "cpu.max", buf, sizeof(buf)), ret);
}

static bool cpus_v1(struct scan *scan, uint64_t *ret)
{
    char quota[64];
    char period[64];

    return cgroup_cpus_v1(
        read_limit(scan, "cpu.cfs_quota_us", quota, sizeof(quota)),
        read_limit(scan, "cpu.cfs_period_us", period, sizeof(period)), ret);
}

/* ---- hierarchies ---- */

/* Those that matter; a controller is in one of them only. */
static const struct {
    const char *controller; /* of version 1; NULL: version 2 */
    limit_fn *memory;
    limit_fn *cpus;
} hierarchies[] = {
    {NULL, memory_v2, cpus_v2},
    {"memory", memory_v1, NULL},
    {"cpu", NULL, cpus_v1},
};

static bool is_hierarchy(const struct mountinfo *mount, const char *controller)
{
    if (controller == NULL)
        return span_eq(mount->type, span_str("cgroup2"));
    return span_eq(mount->type, span_str("cgroup")) &&
           mountinfo_has_option(mount, controller);
}

/* Find where it is mounted: scan->point and scan->root. */
static bool find_hierarchy(struct scan *scan, const char *controller)
{
    FREES char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    bool found = false;
    FILE *file = NULL;

    if (text_format(scan->file, sizeof(scan->file), "%s/mountinfo", scan->proc))
        file = fopen(scan->file, "re");
    if (file == NULL)
        return false;
    while (!found && (len = getline(&line, &cap, file)) > 0) {
        struct mountinfo mount;

        found =
            mountinfo_parse(span_of(line, (size_t)len), &mount) &&
            is_hierarchy(&mount, controller) &&
            mountinfo_unescape(mount.point, scan->point, sizeof(scan->point)) &&
            mountinfo_unescape(mount.root, scan->root, sizeof(scan->root));
    }
    (void)fclose(file);
    return found;
}

/* The group as it is seen below the mount: what is mounted may be a part of
 * the hierarchy.  A group outside of it is not seen at all. */
static struct span below_root(struct span group, const char *root)
{
    size_t len = strlen(root);

    if (len > 1 && group.len >= len && memcmp(group.ptr, root, len) == 0 &&
        (group.len == len || group.ptr[len] == '/'))
        group = span_from(group, len);
    return group.len == 1 ? span_of(group.ptr, 0) : group; /* "/" */
}

/* Lower *ret to the least limit from the group up to the mount. */
static void lower(
    struct scan *scan, struct span group, limit_fn *limit_of, uint64_t *ret)
{
    struct text t = text_over(scan->directory, sizeof(scan->directory));
    size_t base = strlen(scan->point);

    text_add_str(&t, scan->point);
    text_add(&t, below_root(group, scan->root));
    if (t.cut)
        return;
    for (;;) {
        uint64_t limit = 0;
        char *slash = NULL;

        if (limit_of(scan, &limit) && limit < *ret)
            *ret = limit;
        slash = strrchr(scan->directory, '/');
        if (slash == NULL || (size_t)(slash - scan->directory) < base)
            return;
        *slash = '\0';
    }
}

static void read_groups(const char *proc, struct capacity_facts *ret)
{
    FREES struct scan *scan = malloc(sizeof(*scan));
    struct span groups = span_of(NULL, 0);

    if (scan == NULL)
        return;
    scan->proc = proc;
    if (text_format(scan->file, sizeof(scan->file), "%s/cgroup", proc))
        groups = read_file(scan->file, scan->groups, sizeof(scan->groups));
    for (size_t i = 0; i < ARRAY_LEN(hierarchies); i++) {
        struct span group;

        if (!cgroup_path(groups, hierarchies[i].controller, &group) ||
            !find_hierarchy(scan, hierarchies[i].controller))
            continue;
        if (hierarchies[i].memory != NULL)
            lower(scan, group, hierarchies[i].memory, &ret->memory_cgroup);
        if (hierarchies[i].cpus != NULL)
            lower(scan, group, hierarchies[i].cpus, &ret->cpus_quota);
    }
}

/* ---- the process and the machine ---- */

/* The kernel refuses a set that is smaller than its own. */
static uint64_t count_affine(void)
{
    for (unsigned cpus = CPUS_FIRST; cpus <= CPUS_LAST; cpus *= 2) {
        size_t len = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        uint64_t count = 0;

        if (set == NULL)
            break;
        CPU_ZERO_S(len, set);
        if (sched_getaffinity(0, len, set) == 0)
            count = (uint64_t)CPU_COUNT_S(len, set);
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    return CAPACITY_NO_LIMIT;
}

static uint64_t hard_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
        return CAPACITY_NO_LIMIT;
    return limit.rlim_max;
}

static uint64_t total_memory(void)
{
    struct sysinfo info;

    if (sysinfo(&info) < 0)
        return CAPACITY_NO_LIMIT;
    return (uint64_t)info.totalram * info.mem_unit;
}

void capacity_read(const char *proc, struct capacity_facts *ret)
{
    *ret = (struct capacity_facts){
        .cpus_affine = count_affine(),
        .cpus_quota = CAPACITY_NO_LIMIT,
        .descriptors = hard_descriptors(),
        .memory_cgroup = CAPACITY_NO_LIMIT,
        .memory_total = total_memory(),
    };
    read_groups(proc, ret);
}
