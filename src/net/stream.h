/*
 * stream: one connected socket on a worker's loop, plain or with TLS.
 *
 * Level-triggered: the ready function is called while what was asked for by
 * stream_want() holds; what TLS has read ahead counts as readable.  Embed a
 * stream in the object that owns it; the object lives until closed() has been
 * called.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/span.h"
#include "net/tls_session.h"
#include "net/worker.h"

enum {
    STREAM_READ = WATCH_READ,
    STREAM_WRITE = WATCH_WRITE,
    STREAM_HANGUP = WATCH_HANGUP, /* the peer ended its side */
    STREAM_FAILED = WATCH_FAILED, /* it is not watched any more: close it */
};

struct stream;
typedef void stream_ready_fn(struct stream *s, unsigned events);
typedef void stream_gone_fn(struct stream *s);

struct stream {
    struct watch watch;
    stream_ready_fn *ready;
    stream_gone_fn *closed;
    stream_gone_fn *detached;
    struct tls_session *tls;   /* owned; NULL: plain */
    struct stream *prev_ahead; /* in the worker's list of those that have */
    struct stream *next_ahead; /* something to read beside the socket */
    int fd;                    /* owned; -1 once closed */
    bool is_ahead;             /* on that list */
};

/* Takes the descriptor over on success only.  Nothing is wanted yet. */
MUST_CHECK NONNULL int stream_init(struct stream *s, struct worker *w, int fd);

NONNULL void stream_want(struct stream *s, unsigned events);
NONNULL static inline unsigned stream_wanted(const struct stream *s)
{
    return s->watch.wanted;
}

/* Bytes moved; 0 on read: the peer ended its side; -EAGAIN: would block; else
 * -errno. */
MUST_CHECK NONNULL ssize_t stream_read(
    struct stream *s, const struct iovec *to, int count);
MUST_CHECK NONNULL ssize_t stream_write(
    struct stream *s, const void *bytes, size_t len);

/* The same of pieces, each of which may be empty; not with TLS. */
enum { STREAM_PIECES = 3 };
MUST_CHECK NONNULL ssize_t stream_write_gathered(
    struct stream *s, const struct span pieces[STREAM_PIECES]);

/* What has come over the socket where a read gave len bytes: with TLS that is
 * more, also where it gave none; counted since the last call. */
NONNULL static inline size_t stream_received(struct stream *s, size_t len)
{
    return s->tls == NULL ? len : tls_session_take_received(s->tls);
}

/* Is it not to be read before what is unsent has been flushed? */
NONNULL static inline bool stream_is_flooded(const struct stream *s)
{
    return s->tls != NULL && tls_session_is_flooded(s->tls);
}

/* What a write, or TLS while it read, has made and the socket has not taken:
 * records. */
NONNULL static inline size_t stream_unsent(const struct stream *s)
{
    return s->tls == NULL ? 0 : tls_session_unsent(s->tls);
}

/* Bytes that it keeps for its peer. */
NONNULL static inline size_t stream_kept(const struct stream *s)
{
    return s->tls == NULL ? 0 : tls_session_kept(s->tls);
}

/* Send what is unsent: 0: done; -EAGAIN: would block; else -errno. */
MUST_CHECK NONNULL static inline int stream_flush(struct stream *s)
{
    return s->tls == NULL ? 0 : tls_session_flush(s->tls);
}

/* Say that nothing more will be written.  With TLS that too may be unsent:
 * flush, and say it once more. */
NONNULL void stream_end(struct stream *s);

/* Speak TLS from now on: what follows on the socket is a ClientHello.  False:
 * no memory. */
MUST_CHECK NONNULL bool stream_start_tls(
    struct stream *s, struct tls_server *server);
/* Speak it no more, so that the socket can end. */
NONNULL void stream_stop_tls(struct stream *s);

/* Leave the worker's loop with the descriptor open; detached() follows from
 * the loop, and stream_init() on another worker may follow that.  False: it
 * cannot leave, and nothing has changed. */
MUST_CHECK NONNULL bool stream_detach(struct stream *s);

/* Close the descriptor now; closed() follows from the loop. */
NONNULL void stream_close(struct stream *s);

/* On the worker, from its loop: those with something to read beside their
 * sockets get their turn. */
NONNULL void stream_read_ahead(struct worker *w);
