/* The BIO beneath a session: bytes between OpenSSL and the socket. */
#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/tls_part.h"

enum {
    /* bytes of a ClientHello: those of today have two thousand, with a key
     * share of a post-quantum group; a ticket or two fit in as well */
    HELLO_MAX = 16384,
};

static bool would_block(int error)
{
    return error == EAGAIN;
}

/* What the socket took, 0 if nothing; -1: it failed. */
static ssize_t send_some(struct tls_session *s, const uint8_t *from, size_t len)
{
    ssize_t put = 0;

    do {
        put = send(s->fd, from, len, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put < 0 && would_block(errno))
        return 0;
    if (put < 0)
        s->error = -errno;
    return put;
}

/* What has been sent makes room first. */
static void compact(struct tls_session *s)
{
    size_t kept = tls_session_unsent(s);

    if (s->unsent_at == 0)
        return;
    memmove(s->unsent, s->unsent + s->unsent_at, kept);
    s->unsent_at = 0;
    s->unsent_len = kept;
}

static bool keep_unsent(struct tls_session *s, const uint8_t *from, size_t len)
{
    size_t cap = 0;
    uint8_t *grown = NULL;

    if (len == 0)
        return true;
    compact(s);
    if (__builtin_add_overflow(s->unsent_len, len, &cap))
        return false;
    grown = realloc(s->unsent, cap);
    if (grown == NULL) {
        s->error = -ENOMEM;
        return false;
    }
    memcpy(grown + s->unsent_len, from, len);
    s->unsent = grown;
    s->unsent_len = cap;
    /* A handshake's flight has its own bound. */
    if (!s->writes && s->server == NULL)
        s->answers += len;
    return true;
}

static int on_write(BIO *bio, const char *from, int len)
{
    struct tls_session *s = BIO_get_data(bio);
    const uint8_t *bytes = (const uint8_t *)from;
    ssize_t put = 0;

    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (s->unsent == NULL)
        put = send_some(s, bytes, (size_t)len);
    if (put < 0 || !keep_unsent(s, bytes + put, (size_t)len - (size_t)put))
        return -1;
    return len;
}

/* What came first tells HTTP from TLS. */
static void remember_first(
    struct tls_session *s, const uint8_t *bytes, size_t len)
{
    size_t room = sizeof(s->first) - s->first_len;

    if (room == 0)
        return;
    if (len > room)
        len = room;
    memcpy(s->first + s->first_len, bytes, len);
    s->first_len = (uint8_t)(s->first_len + len);
}

bool tls_bio_hello_is_too_long(const struct tls_session *s)
{
    return s->hello.largest > HELLO_MAX;
}

/* May a ClientHello come yet?  There is a second one where TLS 1.3 asked for
 * other parameters; in TLS 1.2 what follows the first is sealed at some time. */
static bool awaits_hello(const struct tls_session *s)
{
    return s->server != NULL &&
           (!s->greeted || SSL_version(s->ssl) == TLS1_3_VERSION);
}

/* The alert, before any of ours is sealed: the session ends in any case. */
static void refuse_hello(struct tls_session *s)
{
    static const uint8_t illegal_parameter[] = {
        SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, SSL3_AD_ILLEGAL_PARAMETER};

    if (s->unsent != NULL)
        return;
    IGNORE(send_some(s, illegal_parameter, sizeof(illegal_parameter)) < 0,
        "the peer may be gone already");
}

/* OpenSSL makes room for as much as a ClientHello announces, up to 128 KiB,
 * before a byte of it has come. */
static bool admit_hello(struct tls_session *s, const uint8_t *bytes, size_t len)
{
    if (!awaits_hello(s))
        return true;
    tls_hello_size_feed(&s->hello, bytes, len);
    if (!tls_bio_hello_is_too_long(s))
        return true;
    refuse_hello(s);
    return false;
}

/* Bytes have come from the socket.  False: they are not OpenSSL's to see. */
static bool take(struct tls_session *s, const uint8_t *bytes, size_t len)
{
    s->received += len;
    s->turn_left -= len < s->turn_left ? (uint32_t)len : s->turn_left;
    remember_first(s, bytes, len);
    return admit_hello(s, bytes, len);
}

static void starve(struct tls_session *s, BIO *bio)
{
    s->starved = true;
    BIO_set_retry_read(bio);
}

static int on_read(BIO *bio, char *to, int len)
{
    struct tls_session *s = BIO_get_data(bio);
    ssize_t got = 0;

    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (s->drained || s->turn_left == 0 || s->refused) {
        starve(s, bio);
        return -1;
    }
    do {
        got = recv(s->fd, to, (size_t)len, 0);
    } while (got < 0 && errno == EINTR);
    s->drained = got < len;
    s->at_end = got == 0;
    if (got < 0 && would_block(errno)) {
        starve(s, bio);
    } else if (got < 0) {
        s->error = -errno;
    } else if (!take(s, (const uint8_t *)to, (size_t)got)) {
        return -1;
    }
    return (int)got;
}

static long on_ctrl(BIO *bio, int what, long number, void *ptr)
{
    const struct tls_session *s = BIO_get_data(bio);

    (void)number;
    (void)ptr;
    if (what == BIO_CTRL_EOF)
        return s->at_end;
    return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(
        BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session of a stream");

    if (method == NULL)
        return NULL;
    (void)BIO_meth_set_write(method, on_write);
    (void)BIO_meth_set_read(method, on_read);
    (void)BIO_meth_set_ctrl(method, on_ctrl);
    return method;
}

size_t tls_session_unsent(const struct tls_session *s)
{
    return s->unsent_len - s->unsent_at;
}

int tls_session_flush(struct tls_session *s)
{
    while (tls_session_unsent(s) > 0) {
        ssize_t put =
            send_some(s, s->unsent + s->unsent_at, tls_session_unsent(s));

        if (put < 0)
            return s->error;
        if (put == 0)
            return -EAGAIN;
        s->unsent_at += (size_t)put;
    }
    free(s->unsent);
    s->unsent = NULL;
    s->unsent_at = 0;
    s->unsent_len = 0;
    s->answers = 0;
    return 0;
}
