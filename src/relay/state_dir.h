/*
 * state_dir: the directory of the certificates, and the lock by which one
 * instance knows another.
 */
#pragma once

#include "base/attr.h"

/* The lock's name in the directory. */
#define STATE_DIR_LOCK "instance.lock"

/*
 * Make the directory and what is missing above it, mode 0700 whatever the
 * umask.  One that exists is left as it is, whoever made it: judge the path
 * once more before anything is written there.  0 or -errno.
 */
MUST_CHECK NONNULL int state_dir_make(const char *path);

/*
 * Lock the directory's lock file, made with mode 0600 whatever the umask, for
 * as long as the descriptor in *ret_fd is open, and write the process id into
 * it.  Neither the directory nor the lock may be a link.  -EAGAIN: another
 * process holds the lock.  -EBADF: it is not a regular file of ours.
 */
MUST_CHECK NONNULL int state_dir_lock(const char *directory, int *ret_fd);

/*
 * Is that the directory's lock, held by fd, which another process has handed
 * over?  It stays held until neither has it open.  0 or -errno: -EXDEV: it is
 * another file; others as above.
 */
MUST_CHECK NONNULL int state_dir_adopt(const char *directory, int fd);

/* Write our process id into the lock that fd holds.  0 or -errno. */
MUST_CHECK NONNULL int state_dir_sign(int fd);
