/*
 * certificate_files: the certificate of --tls-cert and --tls-key, followed when
 * the files change.
 *
 * Read on the control thread, at boot and when a look once a second says so.
 * Keys are wiped from memory once they are installed.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

struct relay;

/* By what a file is known to be the same as before; all 0: there is none. */
struct file_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t changed_ns; /* ctime */
    int64_t written_ns; /* mtime */
};

struct certificate_files {
    struct file_mark cert; /* as last read */
    struct file_mark key;
    struct file_mark new_cert; /* as last seen, if they changed since */
    struct file_mark new_key;
    unsigned pause;      /* looks after an attempt that failed, the next one
                            twice as many; 0: none failed */
    unsigned looks_left; /* until the next attempt */
};

/* At boot, the files if some are given.  False: they do not do, and it was
 * logged why. */
MUST_CHECK NONNULL bool certificate_files_load(struct relay *relay);

/* Once a second: the given files again, if they changed and have kept still
 * for a second since.  What cannot be read for a passing reason is tried again,
 * ever more rarely; what was read and does not do waits for the next change. */
NONNULL void certificate_files_follow(struct relay *relay);
