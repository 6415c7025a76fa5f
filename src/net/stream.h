/*
 * stream: one connected socket on a worker's loop.
 *
 * Level-triggered: the ready function is called while what was asked for by
 * stream_want() holds.  Embed a stream in the object that owns it; the object
 * lives until closed() has been called.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "net/worker.h"

enum {
    STREAM_READ = 1,
    STREAM_WRITE = 2,
    STREAM_HANGUP = 4, /* the peer ended its side; for who does not read */
};

struct stream;
typedef void stream_ready_fn(struct stream *s, unsigned events);
typedef void stream_gone_fn(struct stream *s);

struct stream {
    uv_poll_t poll;
    stream_ready_fn *ready;
    stream_gone_fn *closed;
    stream_gone_fn *detached;
    int fd; /* owned; -1 once closed */
    unsigned wanted;
};

/* Takes the descriptor over on success only.  Nothing is wanted yet. */
MUST_CHECK NONNULL int stream_init(struct stream *s, struct worker *w, int fd);

NONNULL void stream_want(struct stream *s, unsigned events);

/* Bytes moved; 0 on read: the peer ended its side; -EAGAIN: would block; else
 * -errno. */
MUST_CHECK NONNULL ssize_t stream_read(
    struct stream *s, const struct iovec *to, int count);
MUST_CHECK NONNULL ssize_t stream_write(
    struct stream *s, const void *bytes, size_t len);

/* Say that nothing more will be written. */
NONNULL void stream_end(struct stream *s);

/* Leave the worker's loop with the descriptor open; detached() follows from
 * the loop, and stream_init() on another worker may follow that. */
NONNULL void stream_detach(struct stream *s);

/* Close the descriptor now; closed() follows from the loop. */
NONNULL void stream_close(struct stream *s);
