/*
 * facts_files: what every system tells of a file in its own way; once in
 * facts_linux_files.c and once in facts_portable.c.  The rest is POSIX's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/attr.h"

/*
 * What name in dir is, a link itself and not what it leads to.  *ret_fd is a
 * descriptor that the next step can start from if it is a directory; it may
 * be -1 if it is none.  0 or an errno.
 */
NONNULL int facts_look(
    int dir, const char *name, struct stat *ret, int *ret_fd);

struct facts_mount {
    bool read_only;
    /* Why modes mean nothing there, in a few words; NULL: they mean what they
     * say, as far as this system can tell. */
    const char *made_up;
};

/* Of the directory, what it is mounted as. */
NONNULL struct facts_mount facts_mount_of(
    int fd, const char *path, const struct stat *st);

/* Whether somebody else holds a lock on the file.  0 or an errno. */
NONNULL int facts_lock_is_held(int fd, bool *ret);

/* The text of an errno; the next call may overwrite it. */
const char *facts_error_text(int error);
