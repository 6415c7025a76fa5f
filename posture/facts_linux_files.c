#include "posture/facts_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mountinfo.h"
#include "base/own.h"
#include "base/text.h"

int facts_look(int dir, const char *name, struct stat *ret, int *ret_fd)
{
    /* O_PATH: a directory that may be entered and not read is no obstacle,
     * and nothing happens to a device. */
    CLOSES int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, ret) < 0)
        return errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

/* Does the kernel decide by the modes of this FUSE mount?  It does where
 * default_permissions is set; elsewhere its daemon decides. */
static bool fuse_modes_count(dev_t dev)
{
    char device[32];
    size_t cap = 0;
    ssize_t len = 0;
    bool counts = false;
    FREES char *line = NULL;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");

    if (mounts == NULL)
        return false;
    (void)text_format(device, sizeof(device), "%u:%u", major(dev), minor(dev));
    while (!counts && (len = getline(&line, &cap, mounts)) > 0) {
        struct mountinfo mount;

        counts = mountinfo_parse(span_of(line, (size_t)len), &mount) &&
                 span_eq(mount.device, span_str(device)) &&
                 mountinfo_has_option(&mount, "default_permissions");
    }
    (void)fclose(mounts);
    return counts;
}

/* Magic of statfs(2), where modes come from mount options or from a server
 * that decides otherwise. */
static const struct {
    unsigned long magic;
    const char *name;
} made_up[] = {
    {0xff534d42UL, "CIFS"},
    {0xfe534d42UL, "SMB2"},
    {0x0000517bUL, "SMB"},
    {0x01021997UL, "9p"},
    {0x00004d44UL, "FAT"},
    {0x2011bab0UL, "exFAT"},
    {0x5346544eUL, "NTFS"},
    {0x7366746eUL, "NTFS"},
    {0x786f4256UL, "vboxsf"},
    {0x7c7c6673UL, "Parallels shared folders"},
    {0x5346414fUL, "AFS"},
};

enum { FUSE_MAGIC = 0x65735546 };

/* File systems that have no such list. */
static bool has_no_access_list(unsigned long magic)
{
    static const unsigned long without[] = {
        0xef53UL,     /* ext2, ext3, ext4 */
        0x58465342UL, /* xfs */
        0x9123683eUL, /* btrfs */
        0x01021994UL, /* tmpfs */
    };

    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        if (without[i] == magic)
            return true;
    }
    return false;
}

/* What an NFSv4 access list allows need not show in the mode. */
static const char *access_list(unsigned long magic, const char *path)
{
    if (has_no_access_list(magic))
        return NULL;
    if (lgetxattr(path, "system.nfs4_acl", NULL, 0) >= 0)
        return "an NFSv4 access list";
    if (errno == ENODATA || errno == ENOTSUP || errno == ENOSYS)
        return NULL;
    return "an access list that could not be read";
}

static const char *made_up_by(unsigned long magic, const char *path, dev_t dev)
{
    for (size_t i = 0; i < ARRAY_LEN(made_up); i++) {
        if (made_up[i].magic == magic)
            return made_up[i].name;
    }
    if (magic == FUSE_MAGIC && !fuse_modes_count(dev))
        return "FUSE or virtiofs without default_permissions";
    return access_list(magic, path);
}

struct facts_mount facts_mount_of(
    int fd, const char *path, const struct stat *st)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0) {
        return (struct facts_mount){
            .made_up = "a file system that does not say what it is"};
    }
    return (struct facts_mount){
        .read_only = (fs.f_flags & ST_RDONLY) != 0,
        .made_up = made_up_by(
            (unsigned long)fs.f_type & 0xffffffffUL, path, st->st_dev),
    };
}

int facts_lock_is_held(int fd, bool *ret)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
        return errno;
    *ret = whole.l_type != F_UNLCK;
    return 0;
}

const char *facts_error_text(int error)
{
    const char *text = strerrordesc_np(error);

    return text == NULL ? "unknown error" : text;
}
