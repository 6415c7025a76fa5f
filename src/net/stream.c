#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

static struct worker *worker_of(const struct stream *s)
{
    return s->watch.worker;
}

/* ---- what TLS has read ahead ---- */

static void note_ahead(struct stream *s)
{
    struct worker *w = worker_of(s);

    if (s->is_ahead || s->fd < 0)
        return;
    s->is_ahead = true;
    s->prev_ahead = w->ahead_last;
    s->next_ahead = NULL;
    if (s->prev_ahead != NULL) {
        s->prev_ahead->next_ahead = s;
    } else {
        w->ahead_first = s;
    }
    w->ahead_last = s;
    w->ahead_count++;
}

static void forget_ahead(struct stream *s)
{
    struct worker *w = worker_of(s);

    if (!s->is_ahead)
        return;
    s->is_ahead = false;
    if (s->prev_ahead != NULL) {
        s->prev_ahead->next_ahead = s->next_ahead;
    } else {
        w->ahead_first = s->next_ahead;
    }
    if (s->next_ahead != NULL) {
        s->next_ahead->prev_ahead = s->prev_ahead;
    } else {
        w->ahead_last = s->prev_ahead;
    }
    w->ahead_count--;
}

/* Each once: who has more after that waits for the next round. */
void stream_read_ahead(struct worker *w)
{
    for (size_t n = w->ahead_count; n > 0 && w->ahead_first != NULL; n--) {
        struct stream *s = w->ahead_first;

        forget_ahead(s);
        if (stream_wanted(s) & STREAM_READ)
            s->ready(s, STREAM_READ);
    }
}

/* ---- the socket ---- */

static struct stream *of_watch(struct watch *w)
{
    return (
        struct stream *)(void *)((char *)w - offsetof(struct stream, watch));
}

static void on_ready(struct watch *w, unsigned events)
{
    struct stream *s = of_watch(w);

    s->ready(s, events);
}

int stream_init(struct stream *s, struct worker *w, int fd)
{
    int failed = watch_start(&s->watch, w, fd, on_ready);

    if (failed == 0)
        s->fd = fd;
    return failed;
}

void stream_want(struct stream *s, unsigned events)
{
    if (s->fd < 0 || events == stream_wanted(s))
        return;
    watch_want(&s->watch, events);
    if ((events & STREAM_READ) && s->tls != NULL &&
        tls_session_has_more(s->tls))
        note_ahead(s);
}

static ssize_t read_tls(struct stream *s, const struct iovec *to, int count)
{
    ssize_t got = tls_session_read(s->tls, to, count);

    if (tls_session_has_more(s->tls))
        note_ahead(s);
    return got;
}

ssize_t stream_read(struct stream *s, const struct iovec *to, int count)
{
    ssize_t got = 0;

    if (s->tls != NULL)
        return read_tls(s, to, count);
    do {
        got = count == 1 ? recv(s->fd, to->iov_base, to->iov_len, 0)
                         : readv(s->fd, to, count);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t stream_write(struct stream *s, const void *bytes, size_t len)
{
    ssize_t put = 0;

    if (s->tls != NULL)
        return tls_session_write(s->tls, bytes, len);
    do {
        put = send(s->fd, bytes, len, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

ssize_t stream_write_gathered(
    struct stream *s, const struct span pieces[STREAM_PIECES])
{
    struct iovec vectors[STREAM_PIECES];
    struct msghdr message = {.msg_iovlen = STREAM_PIECES};
    ssize_t put = 0;

    assert(s->tls == NULL);
    for (size_t i = 0; i < STREAM_PIECES; i++) {
        vectors[i] = (struct iovec){
            /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is only read. */
            .iov_base = (void *)(uintptr_t)pieces[i].ptr,
            .iov_len = pieces[i].len,
        };
    }
    message.msg_iov = vectors;
    do {
        put = sendmsg(s->fd, &message, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

bool stream_start_tls(struct stream *s, struct tls_server *server)
{
    assert(s->tls == NULL);
    s->tls = tls_session_new(server, s->fd);
    return s->tls != NULL;
}

void stream_stop_tls(struct stream *s)
{
    if (s->is_ahead)
        forget_ahead(s);
    tls_session_free(s->tls);
    s->tls = NULL;
}

void stream_end(struct stream *s)
{
    if (s->tls != NULL) {
        tls_session_end(s->tls);
        if (tls_session_flush(s->tls) == -EAGAIN)
            return;
    }
    IGNORE(shutdown(s->fd, SHUT_WR) < 0, "the peer may be gone already");
}

static void on_detached(struct watch *w)
{
    struct stream *s = of_watch(w);

    s->detached(s);
}

static void on_closed(struct watch *w)
{
    struct stream *s = of_watch(w);

    s->closed(s);
}

bool stream_detach(struct stream *s)
{
    assert(s->fd >= 0);
    if (!watch_forget(&s->watch))
        return false;
    forget_ahead(s);
    watch_stop(&s->watch, on_detached);
    return true;
}

void stream_close(struct stream *s)
{
    int fd = s->fd;

    assert(fd >= 0);
    stream_stop_tls(s);
    s->fd = -1;
    watch_stop(&s->watch, on_closed);
    IGNORE(close(fd) < 0, "nothing to be done about it");
}
