#include "bench/peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "bench/peer_part.h"

void peer_close(struct peer *p)
{
    const struct linger at_once = {.l_onoff = 1};

    if (p->fd < 0)
        return;
    if (p->tls != NULL) {
        /* or SSL_free() takes the session for one that must not be resumed */
        SSL_set_shutdown(p->tls, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(p->tls);
    }
    (void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)close(p->fd);
    free(p->kept);
    free(p->unsent);
    *p = (struct peer){.fd = -1};
}

void peer_end(struct peer *p)
{
    p->is_ended = true;
    (void)shutdown(p->fd, SHUT_WR);
}

void peer_lose(struct peer_host *host, struct peer *p, const char *why)
{
    struct peer was = *p;

    peer_close(p);
    p->role = was.role;
    p->index = was.index;
    p->is_ended = was.is_ended;
    host->events->lost(host, p, why);
}

static int watch(struct peer_host *host, struct peer *p, int operation)
{
    struct epoll_event event = {
        .events = EPOLLIN | (p->waits_to_write ? EPOLLOUT : 0U),
        .data.ptr = p,
    };

    return epoll_ctl(host->epoll, operation, p->fd, &event) < 0 ? -errno : 0;
}

static void wait_to_write(struct peer_host *host, struct peer *p, bool waits)
{
    if (p->waits_to_write == waits)
        return;
    p->waits_to_write = waits;
    if (watch(host, p, EPOLL_CTL_MOD) < 0)
        peer_lose(host, p, "epoll_ctl failed");
}

/* Each connection from the next address: an address has 28,000 ports. */
static int bind_to_source(struct peer_host *host, int fd)
{
    const int one = 1;
    struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr.s_addr =
            htonl(INADDR_LOOPBACK + host->next_source % host->sources),
    };

    if (host->sources < 2)
        return 0;
    host->next_source++;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) <
            0 ||
        bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        return -errno;
    return 0;
}

static int start_connection(struct peer_host *host, struct peer *p)
{
    const int one = 1;
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(host->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int status = bind_to_source(host, p->fd);

    if (status < 0)
        return status;
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return watch(host, p, EPOLL_CTL_ADD);
}

int peer_connect(struct peer_host *host, struct peer *p, enum peer_role role,
    enum peer_entry entry, uint32_t index)
{
    int status = 0;

    *p = (struct peer){
        .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
        .state = PEER_CONNECTING,
        .role = role,
        .entry = entry,
        .index = index,
        .waits_to_write = true,
    };
    if (p->fd < 0)
        return -errno;
    status = start_connection(host, p);
    if (status < 0)
        peer_close(p);
    return status;
}

/* -1: out of memory. */
static int begin_tls(struct peer_host *host, struct peer *p)
{
    bool accepted = p->entry == PEER_ENTRY_ANSWERS;
    char name[256];

    if (!text_format(name, sizeof(name), "%s", host->name))
        return -1;
    p->tls = SSL_new(accepted ? host->tls_in : host->tls_out);
    if (p->tls == NULL || SSL_set_fd(p->tls, p->fd) != 1)
        return -1;
    if (accepted) {
        SSL_set_accept_state(p->tls);
        return 0;
    }
    SSL_set_connect_state(p->tls);
    if (SSL_set_tlsext_host_name(p->tls, name) != 1)
        return -1;
    if (host->session != NULL && SSL_set_session(p->tls, host->session) != 1)
        return -1;
    return 0;
}

int peer_accept(struct peer_host *host, struct peer *p, int fd)
{
    const int one = 1;
    int status = 0;

    *p = (struct peer){
        .fd = fd,
        .role = PEER_BINARY,
        .entry = PEER_ENTRY_ANSWERS,
        .state = host->tls_in != NULL ? PEER_HANDSHAKING : PEER_UPGRADING,
    };
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (host->tls_in != NULL && begin_tls(host, p) < 0)
        status = -ENOMEM;
    if (status == 0)
        status = watch(host, p, EPOLL_CTL_ADD);
    if (status < 0)
        peer_close(p);
    return status;
}

/* What OpenSSL's result means: bytes, 0 to wait, -1 at the end. */
static ssize_t tls_result(SSL *tls, int result)
{
    int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(tls, result);

    if (result > 0)
        return result;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0
                                                                         : -1;
}

static ssize_t plain_result(ssize_t result)
{
    if (result > 0)
        return result;
    return result < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t write_some(struct peer *p, struct span b)
{
    if (p->tls == NULL)
        return plain_result(send(p->fd, b.ptr, b.len, MSG_NOSIGNAL));
    ERR_clear_error();
    return tls_result(p->tls, SSL_write(p->tls, b.ptr, (int)b.len));
}

static ssize_t read_some(struct peer_host *host, struct peer *p)
{
    if (p->tls == NULL)
        return plain_result(recv(p->fd, host->input, PEER_INPUT, 0));
    ERR_clear_error();
    return tls_result(p->tls, SSL_read(p->tls, host->input, PEER_INPUT));
}

void peer_send(struct peer_host *host, struct peer *p, struct span b)
{
    uint8_t *grown = NULL;

    while (p->unsent_len == 0 && b.len > 0) {
        ssize_t sent = write_some(p, b);

        if (sent < 0) {
            peer_lose(host, p, "a write failed");
            return;
        }
        if (sent == 0)
            break;
        b = span_from(b, (size_t)sent);
    }
    if (b.len == 0)
        return;
    grown = realloc(p->unsent, p->unsent_len + b.len);
    if (grown == NULL) {
        peer_lose(host, p, "out of memory");
        return;
    }
    p->unsent = grown;
    memcpy(p->unsent + p->unsent_len, b.ptr, b.len);
    p->unsent_len += b.len;
    wait_to_write(host, p, true);
}

static void flush(struct peer_host *host, struct peer *p)
{
    ssize_t sent = write_some(p, span_of(p->unsent, p->unsent_len));

    if (sent < 0) {
        peer_lose(host, p, "a write failed");
        return;
    }
    p->unsent_len -= (size_t)sent;
    memmove(p->unsent, p->unsent + sent, p->unsent_len);
    if (p->unsent_len > 0)
        return;
    free(p->unsent);
    p->unsent = NULL;
    wait_to_write(host, p, false);
    if (p->state == PEER_OPEN)
        host->events->writable(host, p);
}

void peer_enter_frames(struct peer_host *host, struct peer *p)
{
    p->state = PEER_OPEN;
    host->events->opened(host, p);
}

/* The connection, and TLS if there is any, stand. */
static void enter(struct peer_host *host, struct peer *p)
{
    if (p->entry == PEER_ENTRY_NONE) {
        peer_enter_frames(host, p);
        return;
    }
    p->state = PEER_UPGRADING;
    if (p->entry == PEER_ENTRY_ASKS)
        peer_upgrade_ask(host, p);
}

static void handshake(struct peer_host *host, struct peer *p)
{
    int result = 0;
    int error = 0;

    ERR_clear_error();
    result = SSL_do_handshake(p->tls);
    error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(p->tls, result);
    if (result != 1 && error != SSL_ERROR_WANT_READ &&
        error != SSL_ERROR_WANT_WRITE) {
        const char *why = ERR_reason_error_string(ERR_peek_error());

        peer_lose(host, p, why != NULL ? why : "the TLS handshake failed");
        return;
    }
    wait_to_write(host, p, error == SSL_ERROR_WANT_WRITE);
    if (result == 1 && p->fd >= 0)
        enter(host, p);
}

static void connected(struct peer_host *host, struct peer *p)
{
    int error = 0;
    socklen_t len = sizeof(error);

    (void)getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        peer_lose(host, p, "the connection was refused");
        return;
    }
    if (host->tls_out == NULL) {
        wait_to_write(host, p, false);
        enter(host, p);
        return;
    }
    if (begin_tls(host, p) < 0) {
        peer_lose(host, p, "out of memory");
        return;
    }
    p->state = PEER_HANDSHAKING;
    handshake(host, p);
}

void peer_on_event(struct peer_host *host, struct peer *p, uint32_t events)
{
    ssize_t got = 0;

    if (p->state == PEER_CONNECTING) {
        connected(host, p);
        return;
    }
    if (p->state == PEER_HANDSHAKING) {
        handshake(host, p);
        /* the read of its last bytes may have brought more */
        if (p->state <= PEER_HANDSHAKING || SSL_has_pending(p->tls) == 0)
            return;
    }
    if ((events & EPOLLOUT) != 0 && p->unsent_len > 0)
        flush(host, p);
    if (p->state == PEER_CLOSED)
        return;
    do {
        got = read_some(host, p);
        if (got < 0) {
            peer_lose(host, p, "the server ended the connection");
            return;
        }
        if (got > 0)
            peer_take_bytes(host, p, span_of(host->input, (size_t)got));
    } while (p->state != PEER_CLOSED && p->tls != NULL && got > 0 &&
             SSL_has_pending(p->tls) == 1);
    if (p->state == PEER_OPEN)
        host->events->round(host, p);
}
