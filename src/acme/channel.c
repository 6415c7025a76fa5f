#include "acme/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct channel {
    int fd;
    enum agent_direction receives;
    uint8_t in[AGENT_MESSAGE_MAX];
    uint8_t out[AGENT_MESSAGE_MAX];
};

struct channel *channel_new(int fd, enum agent_direction receives)
{
    struct channel *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->fd = fd;
    c->receives = receives;
    return c;
}

void channel_free(struct channel *c)
{
    if (c == NULL)
        return;
    explicit_bzero(c, sizeof(*c));
    free(c);
}

int channel_receive(
    struct channel *c, int timeout_ms, struct agent_message *ret)
{
    struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
    int ready = poll(&pfd, 1, timeout_ms);
    ssize_t len = 0;

    if (ready <= 0)
        return ready == 0 || errno == EINTR ? 0 : -errno;
    len = recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT);
    if (len < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return 0;
        return errno == ECONNRESET ? -EPIPE : -errno;
    }
    if (len == 0)
        return -EPIPE;
    if (agent_message_parse(span_of(c->in, (size_t)len), c->receives, ret) !=
            AGENT_MESSAGE_OK ||
        ret->len != (size_t)len)
        return -EBADMSG;
    return 1;
}

int channel_send(struct channel *c, const struct agent_message *message)
{
    size_t len = agent_message_encode(message, c->out, sizeof(c->out));
    ssize_t sent = 0;
    int status = 0;

    if (len == 0)
        return -EINVAL;
    do {
        sent = send(c->fd, c->out, len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        status = -errno;
    explicit_bzero(c->out, len);
    return status;
}
