/*
 * state_dir: the directory of the certificates, and the lock by which one
 * instance knows another.
 */
#pragma once

#include "base/attr.h"

/* Make the directory and what is missing above it, mode 0700.  One that
 * exists is left as it is.  0 or -errno. */
MUST_CHECK NONNULL int state_dir_make(const char *path);

/*
 * Lock the file, made with mode 0600, for as long as the descriptor in
 * *ret_fd is open, and write the process id into it.  -EAGAIN: another
 * process holds the lock.
 */
MUST_CHECK NONNULL int state_dir_lock(const char *path, int *ret_fd);
