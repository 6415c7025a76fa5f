/* What the machine or the container shows to this process. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/mountinfo.h"
#include "base/own.h"
#include "base/text.h"
#include "posture/facts.h"

/* ---- runtime sockets ---- */

/* Where container runtimes listen; /var/run is a link to /run. */
static const char *const runtime_sockets[] = {
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/podman/podman.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/buildkit/buildkitd.sock",
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* By its own name: a mount may put it anywhere. */
bool facts_is_runtime_socket(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(runtime_sockets); i++) {
        if (strcmp(name_of(path), name_of(runtime_sockets[i])) == 0)
            return true;
    }
    return false;
}

static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES ||
           error == ELOOP;
}

NONNULL static void ask_access(
    const char *path, int mode, struct fact_access *ret)
{
    *ret = (struct fact_access){.error = 0};
    (void)text_format(ret->path, sizeof(ret->path), "%s", path);
    ret->allowed = faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
    if (!ret->allowed && !is_absent(errno) && errno != EPERM && errno != EROFS)
        ret->error = errno;
}

/* Never connects.  What cannot be reached is absent; the same socket by
 * another path counts once. */
static void try_socket(const char *path, struct fact_host *ret)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        if (!is_absent(errno) && ret->mounts_error == 0)
            ret->mounts_error = errno;
        return;
    }
    for (size_t i = 0; i < ret->runtime_socket_count; i++) {
        if (ret->runtime_sockets[i].device == st.st_dev &&
            ret->runtime_sockets[i].inode == st.st_ino)
            return;
    }
    if (S_ISSOCK(st.st_mode) && ret->runtime_socket_count < FACTS_ACCESS_MAX) {
        struct fact_access *to =
            &ret->runtime_sockets[ret->runtime_socket_count++];

        ask_access(path, W_OK, to);
        to->device = st.st_dev;
        to->inode = st.st_ino;
    }
}

static void try_sockets(struct fact_host *ret, uint32_t euid)
{
    char path[64];

    for (size_t i = 0; i < ARRAY_LEN(runtime_sockets); i++)
        try_socket(runtime_sockets[i], ret);
    (void)text_format(
        path, sizeof(path), "/run/user/%u/podman/podman.sock", (unsigned)euid);
    try_socket(path, ret);
    (void)text_format(
        path, sizeof(path), "/run/user/%u/docker.sock", (unsigned)euid);
    try_socket(path, ret);
}

/* ---- memory ---- */

/* Where a hierarchy of cgroups is mounted, and what of it. */
struct hierarchy {
    bool found;
    char point[FACTS_PATH_MAX];
    char root[FACTS_PATH_MAX];
};

struct hierarchies {
    struct hierarchy v2;
    struct hierarchy v1; /* of the memory controller */
    char groups[8192];   /* /proc/self/cgroup, cut */
    char mounts[16384];  /* the stream's buffer */
};

static void keep_hierarchy(const struct mountinfo *mount, struct hierarchy *ret)
{
    if (!ret->found) {
        ret->found =
            mountinfo_unescape(mount->point, ret->point, sizeof(ret->point)) &&
            mountinfo_unescape(mount->root, ret->root, sizeof(ret->root));
    }
}

/* A socket that is mounted, under whatever name. */
static void try_mounted_socket(
    const struct mountinfo *mount, struct fact_host *ret)
{
    char root[FACTS_PATH_MAX];
    char point[FACTS_PATH_MAX];

    if (mountinfo_unescape(mount->root, root, sizeof(root)) &&
        mountinfo_unescape(mount->point, point, sizeof(point)) &&
        facts_is_runtime_socket(root))
        try_socket(point, ret);
}

static void look_at_mounts(struct fact_host *ret, struct hierarchies *at)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    FREES char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;

    if (mounts == NULL) {
        ret->mounts_error = errno;
        return;
    }
    (void)setvbuf(mounts, at->mounts, _IOFBF, sizeof(at->mounts));
    while ((len = getline(&line, &cap, mounts)) > 0) {
        struct mountinfo mount;

        if (!mountinfo_parse(span_of(line, (size_t)len), &mount))
            continue;
        if (span_eq(mount.type, span_str("cgroup2")))
            keep_hierarchy(&mount, &at->v2);
        if (span_eq(mount.type, span_str("cgroup")) &&
            mountinfo_has_option(&mount, "memory"))
            keep_hierarchy(&mount, &at->v1);
        try_mounted_socket(&mount, ret);
    }
    if (ferror(mounts) != 0)
        ret->mounts_error = errno;
    (void)fclose(mounts);
}

/* The limit that a file names lowers *ret; 0 or an errno. */
static int lower_to(const char *directory, const char *file, uint64_t *ret)
{
    char path[FACTS_PATH_MAX];
    char buf[64];
    uint64_t limit = 0;
    ssize_t len = 0;

    if (!text_format(path, sizeof(path), "%s/%s", directory, file))
        return ENAMETOOLONG;
    len = facts_read_head(path, buf, sizeof(buf));
    /* The root of the hierarchy has none. */
    if (len < 0)
        return len == -ENOENT ? 0 : (int)-len;
    if (!cgroup_limit(span_of(buf, (size_t)len), &limit))
        return EINVAL;
    if (limit < *ret)
        *ret = limit;
    return 0;
}

/* From our own group up to where the hierarchy is mounted. */
static struct fact_number limit_below(
    const struct hierarchy *at, struct span group, const char *file)
{
    char path[FACTS_PATH_MAX];
    size_t base = strlen(at->point);
    size_t root = strlen(at->root);
    uint64_t limit = UINT64_MAX;

    /* What is mounted may be a part; a group outside of it cannot be seen. */
    if (root > 1 && group.len >= root && memcmp(group.ptr, at->root, root) == 0)
        group = span_from(group, root);
    if (group.len == 1)
        group.len = 0; /* the root, which has its slash */
    if (group.len > FACTS_PATH_MAX ||
        !text_format(path, sizeof(path), "%s%.*s", at->point, (int)group.len,
            (const char *)group.ptr))
        return facts_number(false, 0, ENAMETOOLONG);
    for (;;) {
        int error = lower_to(path, file, &limit);
        char *slash = strrchr(path, '/');

        if (error != 0)
            return facts_number(false, 0, error);
        if (slash == NULL || (size_t)(slash - path) < base)
            break;
        *slash = '\0';
    }
    return facts_number(true, limit, 0);
}

static struct fact_number smaller(struct fact_number a, struct fact_number b)
{
    if (!a.known || !b.known)
        return a.known ? b : a;
    return a.value < b.value ? a : b;
}

static struct fact_number memory_limit(struct hierarchies *at)
{
    struct span group = span_of(NULL, 0);
    struct fact_number result = facts_number(true, UINT64_MAX, 0);
    ssize_t len =
        facts_read_head("/proc/self/cgroup", at->groups, sizeof(at->groups));

    if (len < 0)
        return facts_number(false, 0, (int)-len);
    if (!at->v2.found && !at->v1.found)
        return facts_number(false, 0, ENOENT);
    if (at->v2.found &&
        cgroup_path(span_of(at->groups, (size_t)len), NULL, &group))
        result = smaller(result, limit_below(&at->v2, group, "memory.max"));
    if (at->v1.found &&
        cgroup_path(span_of(at->groups, (size_t)len), "memory", &group)) {
        result = smaller(
            result, limit_below(&at->v1, group, "memory.limit_in_bytes"));
    }
    return result;
}

static struct fact_number machine_memory(void)
{
    struct sysinfo info;

    if (sysinfo(&info) < 0)
        return facts_number(false, 0, errno);
    return facts_number(true, (uint64_t)info.totalram * info.mem_unit, 0);
}

/* ---- the kernel's knobs, devices, the system's directories ---- */

static const char *const knobs[] = {
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/sys/kernel/uevent_helper",
};

static const char *const system_directories[] = {"/", "/usr", "/etc", "/lib"};

static struct fact_number read_only(const char *path)
{
    struct statvfs vfs;

    if (statvfs(path, &vfs) < 0)
        return facts_number(false, 0, errno);
    return facts_number(true, (vfs.f_flag & ST_RDONLY) != 0, 0);
}

/* Those that are allowed or cannot be told. */
static void keep_allowed(struct fact_access *list, size_t *count,
    const char *const *paths, size_t path_count, int mode)
{
    for (size_t i = 0; i < path_count && *count < FACTS_ACCESS_MAX; i++) {
        ask_access(paths[i], mode, &list[*count]);
        if (list[*count].allowed || list[*count].error != 0)
            (*count)++;
    }
}

/* The program that version 1 of cgroups starts on the host when a group is
 * empty; only the root of a hierarchy has it. */
static void try_release_agent(const struct hierarchy *v1, struct fact_host *ret)
{
    char path[FACTS_PATH_MAX];
    const char *const one = path;

    if (v1->found &&
        text_format(path, sizeof(path), "%s/release_agent", v1->point))
        keep_allowed(ret->knobs, &ret->knob_count, &one, 1, W_OK);
}

/* Disks are many only where the whole /dev of a machine is seen, and there
 * one is as open as the other. */
enum { DISKS_MAX = 16 };

/* Not the machine's memory: a file, a piece of RAM, what is not there. */
static bool is_disk(const char *name)
{
    static const char *const others[] = {"loop", "ram", "zram", "nbd", "sr"};

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return false;
    }
    return true;
}

static bool is_block_device(DIR *dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_BLK;
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISBLK(st.st_mode);
}

static void try_disk(const char *name, struct fact_host *ret)
{
    char path[300];
    const char *const one = path;

    (void)text_format(path, sizeof(path), "/dev/%s", name);
    keep_allowed(ret->devices, &ret->device_count, &one, 1, R_OK);
}

/* 0 or an errno; of the whole list: readdir(3) may have ended early. */
static int try_disks(struct fact_host *ret)
{
    DIR *dir = opendir("/dev");
    const struct dirent *entry = NULL;
    int left = DISKS_MAX;
    int error = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : errno;
    while (left > 0) {
        errno = 0;            /* the end and a failure look the same else */
        entry = readdir(dir); /* NOLINT: the stream is ours */
        if (entry == NULL)
            break;
        if (!is_block_device(dir, entry) || !is_disk(entry->d_name))
            continue;
        try_disk(entry->d_name, ret);
        left--;
    }
    error = errno;
    (void)closedir(dir);
    return left > 0 ? error : 0;
}

static void try_devices(struct fact_host *ret)
{
    static const char *const memory = "/dev/mem";
    int error = 0;

    keep_allowed(ret->devices, &ret->device_count, &memory, 1, R_OK);
    error = try_disks(ret);
    if (error != 0 && ret->device_count < FACTS_ACCESS_MAX) {
        ret->devices[ret->device_count++] =
            (struct fact_access){.path = "/dev", .error = error};
    }
}

/* Its permissions are not all: the kernel may ask for CAP_SYSLOG. */
static void try_kernel_log(struct fact_host *ret)
{
    static const char *const path = "/dev/kmsg";
    CLOSES int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        keep_allowed(ret->devices, &ret->device_count, &path, 1, R_OK);
}

void facts_host(uint32_t euid, struct fact_host *ret)
{
    FREES struct hierarchies *at = calloc(1, sizeof(*at));

    try_sockets(ret, euid);
    if (at == NULL) {
        ret->mounts_error = ENOMEM;
        ret->memory_limit = facts_number(false, 0, ENOMEM);
    } else {
        look_at_mounts(ret, at);
        ret->memory_limit = memory_limit(at);
        try_release_agent(&at->v1, ret);
    }
    ret->memory = machine_memory();
    keep_allowed(ret->knobs, &ret->knob_count, knobs, ARRAY_LEN(knobs), W_OK);
    try_devices(ret);
    try_kernel_log(ret);
    keep_allowed(ret->system, &ret->system_count, system_directories,
        ARRAY_LEN(system_directories), W_OK);
    ret->sys_read_only = read_only("/sys");
    ret->root_read_only = read_only("/");
}
