#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int stream_init(struct stream *s, struct worker *w, int fd)
{
    int failed = uv_poll_init(&w->loop, &s->poll, fd);

    if (failed != 0)
        return failed;
    s->poll.data = s;
    s->fd = fd;
    s->wanted = 0;
    return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

void stream_want(struct stream *s, unsigned events)
{
    int mask = 0;

    if (s->fd < 0 || events == s->wanted)
        return;
    s->wanted = events;
    if (events & STREAM_READ)
        mask |= UV_READABLE;
    if (events & STREAM_WRITE)
        mask |= UV_WRITABLE;
    if (events & STREAM_HANGUP)
        mask |= UV_DISCONNECT;
    if (mask == 0) {
        (void)uv_poll_stop(&s->poll);
    } else {
        (void)uv_poll_start(&s->poll, mask, on_poll);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *s = poll->data;
    unsigned ready = 0;

    if (status < 0) {
        /* uv_poll has stopped by itself.  What came before the error is there
         * to be read, and the read after it finds the error. */
        unsigned wanted = s->wanted;

        s->wanted = 0;
        stream_want(s, wanted);
        events = UV_READABLE | UV_WRITABLE;
    }
    if (events & UV_READABLE)
        ready |= STREAM_READ;
    if (events & UV_WRITABLE)
        ready |= STREAM_WRITE;
    if (events & UV_DISCONNECT)
        ready |= STREAM_HANGUP;
    s->ready(s, ready);
}

ssize_t stream_read(struct stream *s, const struct iovec *to, int count)
{
    ssize_t got = 0;

    do {
        got = readv(s->fd, to, count);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t stream_write(struct stream *s, const void *bytes, size_t len)
{
    ssize_t put = 0;

    do {
        put = send(s->fd, bytes, len, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

void stream_end(struct stream *s)
{
    IGNORE(shutdown(s->fd, SHUT_WR) < 0, "the peer may be gone already");
}

static void on_detached(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    s->detached(s);
}

void stream_detach(struct stream *s)
{
    assert(s->fd >= 0);
    s->wanted = 0;
    uv_close((uv_handle_t *)&s->poll, on_detached);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    s->closed(s);
}

void stream_close(struct stream *s)
{
    int fd = s->fd;

    assert(fd >= 0);
    s->fd = -1;
    uv_close((uv_handle_t *)&s->poll, on_closed);
    IGNORE(close(fd) < 0, "nothing to be done about it");
}
