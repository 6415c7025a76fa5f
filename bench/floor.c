/*
 * The floor: reads from one socket and writes the same bytes to another, and
 * nothing else; what the kernel charges for this job.  With a certificate and
 * its key, OpenSSL on both sides.
 *
 * Connections are pairs in the order in which they come.  One that ends takes
 * nothing else with it.
 * usage: floor PORT [CERTIFICATE KEY]      (on 127.0.0.1; ends by a signal)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, READ_MOST = 131072, BACKLOG = 4096 };

struct end {
    int fd;
    SSL *tls; /* NULL: plain */
    struct end *peer;
    uint8_t *unsent; /* what the socket did not take */
    size_t unsent_len;
};

struct copier {
    int epoll;
    int listener;
    SSL_CTX *tls;
    struct end *single; /* whoever came last and has no peer yet */
    uint8_t buffer[READ_MOST];
};

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
    return result < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t end_read(struct end *e, uint8_t *buffer, size_t len)
{
    if (e->tls == NULL)
        return plain_result(recv(e->fd, buffer, len, 0));
    ERR_clear_error();
    return tls_result(e->tls, SSL_read(e->tls, buffer, (int)len));
}

static ssize_t end_write(struct end *e, const uint8_t *bytes, size_t len)
{
    if (e->tls == NULL)
        return plain_result(send(e->fd, bytes, len, MSG_NOSIGNAL));
    ERR_clear_error();
    return tls_result(e->tls, SSL_write(e->tls, bytes, (int)len));
}

static void watch(struct copier *c, struct end *e, int operation, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.ptr = e};

    if (epoll_ctl(c->epoll, operation, e->fd, &event) < 0)
        abort();
}

static void drop(struct copier *c, struct end *e)
{
    if (e->peer != NULL)
        e->peer->peer = NULL;
    if (c->single == e)
        c->single = NULL;
    SSL_free(e->tls);
    (void)close(e->fd);
    free(e->unsent);
    free(e);
}

static void accept_all(struct copier *c)
{
    const int one = 1;
    int fd = -1;

    while ((fd = accept4(
                c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct end *e = calloc(1, sizeof(*e));

        if (e == NULL)
            abort();
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        e->fd = fd;
        e->peer = c->single;
        c->single = e->peer == NULL ? e : NULL;
        if (e->peer != NULL)
            e->peer->peer = e;
        if (c->tls != NULL) {
            e->tls = SSL_new(c->tls);
            if (e->tls == NULL || SSL_set_fd(e->tls, fd) != 1)
                abort();
            SSL_set_accept_state(e->tls);
        }
        watch(c, e, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* Write what fits; keep the rest, and ask to be told when there is room. */
static void give(struct copier *c, struct end *to, const uint8_t *b, size_t len)
{
    uint8_t *grown = NULL;

    while (to->unsent_len == 0 && len > 0) {
        ssize_t sent = end_write(to, b, len);

        if (sent < 0)
            return; /* its own event says so */
        if (sent == 0)
            break;
        b += sent;
        len -= (size_t)sent;
    }
    if (len == 0)
        return;
    grown = realloc(to->unsent, to->unsent_len + len);
    if (grown == NULL)
        abort();
    to->unsent = grown;
    memcpy(to->unsent + to->unsent_len, b, len);
    if (to->unsent_len == 0)
        watch(c, to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    to->unsent_len += len;
}

static void flush(struct copier *c, struct end *e)
{
    ssize_t sent = end_write(e, e->unsent, e->unsent_len);

    if (sent <= 0)
        return;
    e->unsent_len -= (size_t)sent;
    memmove(e->unsent, e->unsent + sent, e->unsent_len);
    if (e->unsent_len > 0)
        return;
    free(e->unsent);
    e->unsent = NULL;
    watch(c, e, EPOLL_CTL_MOD, EPOLLIN);
}

static void serve(struct copier *c, struct end *e, uint32_t what)
{
    ssize_t got = 0;

    if (e->peer == NULL)
        accept_all(c);
    if ((what & EPOLLOUT) != 0 && e->unsent_len > 0)
        flush(c, e);
    do {
        got = end_read(e, c->buffer, sizeof(c->buffer));
        if (got < 0) {
            drop(c, e);
            return;
        }
        if (got > 0 && e->peer != NULL)
            give(c, e->peer, c->buffer, (size_t)got);
    } while (e->tls != NULL && SSL_has_pending(e->tls) == 1 && got > 0);
}

static SSL_CTX *tls_context(const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (tls == NULL ||
        SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_num_tickets(tls, 1) != 1)
        return NULL;
    (void)SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_read_ahead(tls, 1);
    return tls;
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, BACKLOG) < 0)
        return -1;
    return fd;
}

static void serve_round(struct copier *c)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(c->epoll, events, EVENTS, -1);

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            accept_all(c);
        } else {
            serve(c, events[i].data.ptr, events[i].events);
        }
    }
}

/* Listen, with TLS if there are a certificate and its key. */
static bool prepare(struct copier *c, int argc, char *argv[])
{
    struct epoll_event event = {.events = EPOLLIN};

    if (argc == 4 && (c->tls = tls_context(argv[2], argv[3])) == NULL) {
        (void)fputs("floor: no such certificate and key\n", stderr);
        return false;
    }
    c->listener = listen_on(argv[1]);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->listener < 0 || c->epoll < 0 ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->listener, &event) < 0) {
        perror("floor");
        return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    struct copier *c = NULL;

    if (argc != 2 && argc != 4) {
        (void)fputs("usage: floor PORT [CERTIFICATE KEY]\n", stderr);
        return 2;
    }
    c = calloc(1, sizeof(*c)); /* it holds the buffer */
    if (c != NULL && prepare(c, argc, argv)) {
        for (;;)
            serve_round(c);
    }
    free(c);
    return 1;
}
