#include "net/tls_session.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/num.h"
#include "net/tls_part.h"

enum {
    RECORD_LEN = 16384, /* bytes of payload in the largest record */
};

/* ---- bytes between OpenSSL and the socket ---- */

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

static bool keep_unsent(struct tls_session *s, const uint8_t *from, size_t len)
{
    size_t kept = s->unsent_len - s->unsent_at;
    size_t cap = 0;
    uint8_t *grown = NULL;

    if (len == 0)
        return true;
    if (__builtin_add_overflow(s->unsent_len, len, &cap))
        return false;
    grown = realloc(s->unsent, cap);
    if (grown == NULL) {
        s->error = -ENOMEM;
        return false;
    }
    memcpy(grown + s->unsent_at + kept, from, len);
    s->unsent = grown;
    s->unsent_len = cap;
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
    s->first_len += len;
}

static int on_read(BIO *bio, char *to, int len)
{
    struct tls_session *s = BIO_get_data(bio);
    ssize_t got = 0;

    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (s->drained) {
        BIO_set_retry_read(bio);
        return -1;
    }
    do {
        got = recv(s->fd, to, (size_t)len, 0);
    } while (got < 0 && errno == EINTR);
    s->drained = got < len;
    s->at_end = got == 0;
    if (got < 0 && would_block(errno)) {
        BIO_set_retry_read(bio);
    } else if (got < 0) {
        s->error = -errno;
    } else {
        remember_first(s, (const uint8_t *)to, (size_t)got);
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

/* ---- a session comes and goes ---- */

static bool attach(struct tls_session *s)
{
    BIO *bio = BIO_new(s->server->shared->bio);

    if (bio == NULL)
        return false;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_accept_state(s->ssl);
    return true;
}

struct tls_session *tls_session_new(struct tls_server *server, int fd)
{
    struct tls_session *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->server = server;
    s->fd = fd;
    s->ssl = SSL_new(server->ctx);
    if (s->ssl == NULL || !attach(s)) {
        ERR_clear_error();
        tls_session_free(s);
        return NULL;
    }
    return s;
}

void tls_session_free(struct tls_session *s)
{
    if (s == NULL)
        return;
    SSL_free(s->ssl);
    free(s->unsent);
    free(s);
}

/* ---- the handshake ---- */

static bool begins_like_http(const struct tls_session *s)
{
    static const char *const methods[] = {"GET ", "HEAD ", "POST ", "PUT ",
        "OPTIONS ", "DELETE ", "PATCH ", "CONNECT ", "TRACE "};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        size_t len = strlen(methods[i]);

        if (s->first_len >= len && memcmp(s->first, methods[i], len) == 0)
            return true;
    }
    return false;
}

/* The alerts of the peer are reasons above this (ssl.h). */
static bool is_alert(int reason)
{
    return reason > SSL_AD_REASON_OFFSET;
}

static enum tls_failure failure_of_reason(int reason)
{
    static const struct {
        int reason;
        enum tls_failure failure;
    } known[] = {
        {SSL_R_HTTP_REQUEST, TLS_FAILURE_PLAIN_HTTP},
        {SSL_R_HTTPS_PROXY_REQUEST, TLS_FAILURE_PLAIN_HTTP},
        {SSL_R_WRONG_VERSION_NUMBER, TLS_FAILURE_NOT_TLS},
        {SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAILURE_VERSION},
        {SSL_R_VERSION_TOO_LOW, TLS_FAILURE_VERSION},
        {SSL_R_INAPPROPRIATE_FALLBACK, TLS_FAILURE_VERSION},
        {SSL_R_NO_SHARED_CIPHER, TLS_FAILURE_PARAMETERS},
        {SSL_R_NO_SHARED_GROUPS, TLS_FAILURE_PARAMETERS},
        {SSL_R_NO_SUITABLE_KEY_SHARE, TLS_FAILURE_PARAMETERS},
        {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_FAILURE_PARAMETERS},
        {SSL_R_NO_APPLICATION_PROTOCOL, TLS_FAILURE_ALPN},
        {SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_FAILURE_CLOSED},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].reason == reason)
            return known[i].failure;
    }
    return is_alert(reason) ? TLS_FAILURE_ALERT : TLS_FAILURE_PROTOCOL;
}

static enum tls_failure find_failure(
    const struct tls_session *s, unsigned long error)
{
    if (s->verdict == TLS_UNKNOWN_NAME)
        return TLS_FAILURE_NAME;
    if (s->verdict == TLS_NOT_READY)
        return TLS_FAILURE_NOT_READY;
    if (begins_like_http(s))
        return TLS_FAILURE_PLAIN_HTTP;
    if (s->error != 0 || error == 0)
        return TLS_FAILURE_CLOSED;
    return failure_of_reason(ERR_GET_REASON(error));
}

static void note_failure(struct tls_session *s)
{
    unsigned long error = ERR_peek_error();
    const char *words = error == 0 ? NULL : ERR_reason_error_string(error);

    s->failure = find_failure(s, error);
    s->failure_text = words == NULL ? tls_failure_text(s->failure) : words;
    ERR_clear_error();
}

int tls_session_handshake(struct tls_session *s)
{
    int done = 0;

    assert(s->server != NULL && s->failure == TLS_FAILURE_NONE);
    ERR_clear_error();
    s->drained = false;
    done = SSL_do_handshake(s->ssl);
    if (done == 1) {
        s->server = NULL;
        s->more = SSL_has_pending(s->ssl) == 1;
        return 0;
    }
    if (SSL_get_error(s->ssl, done) == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    note_failure(s);
    return -EPROTO;
}

enum tls_failure tls_session_failure(const struct tls_session *s)
{
    return s->failure;
}

const char *tls_session_failure_text(const struct tls_session *s)
{
    return s->failure_text == NULL ? "" : s->failure_text;
}

static const struct {
    const char *label;
    const char *text;
} failures[] = {
#define X(name, label, text) [name] = {(label), (text)},
    TLS_FAILURE_LIST(X)
#undef X
};

const char *tls_failure_label(enum tls_failure failure)
{
    assert(failure < TLS_FAILURE_COUNT);
    return failures[failure].label;
}

const char *tls_failure_text(enum tls_failure failure)
{
    assert(failure < TLS_FAILURE_COUNT);
    return failures[failure].text;
}

bool tls_session_is_resumed(const struct tls_session *s)
{
    return SSL_session_reused(s->ssl) == 1;
}

bool tls_session_is_tls13(const struct tls_session *s)
{
    return SSL_version(s->ssl) == TLS1_3_VERSION;
}

bool tls_session_is_challenge(const struct tls_session *s)
{
    const uint8_t *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(s->ssl, &name, &len);
    return len == strlen("acme-tls/1") && memcmp(name, "acme-tls/1", len) == 0;
}

/* ---- data ---- */

/* What a read or a write that did not succeed comes to; 0: the peer's end. */
static ssize_t outcome(struct tls_session *s)
{
    switch (SSL_get_error(s->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        return s->error != 0 ? s->error : -EPROTO;
    }
}

/* Fill the buffer from records as long as there are any; what came before an
 * error counts, and the error shows at the next call. */
static ssize_t fill(struct tls_session *s, uint8_t *to, size_t len)
{
    size_t have = 0;

    while (have < len) {
        size_t got = 0;

        if (SSL_read_ex(s->ssl, to + have, len - have, &got) != 1) {
            ssize_t why = outcome(s);

            s->more = have > 0 && why != -EAGAIN;
            return have > 0 ? (ssize_t)have : why;
        }
        have += got;
        s->more = SSL_has_pending(s->ssl) == 1;
        if (s->drained && !s->more)
            break;
    }
    return (ssize_t)have;
}

ssize_t tls_session_read(
    struct tls_session *s, const struct iovec *to, int count)
{
    size_t have = 0;

    s->drained = false;
    s->more = false;
    for (int i = 0; i < count; i++) {
        ssize_t got = fill(s, to[i].iov_base, to[i].iov_len);

        if (got <= 0)
            return have > 0 ? (ssize_t)have : got;
        have += (size_t)got;
        if ((size_t)got < to[i].iov_len || (s->drained && !s->more))
            break;
    }
    return (ssize_t)have;
}

bool tls_session_has_more(const struct tls_session *s)
{
    return s->more;
}

ssize_t tls_session_write(struct tls_session *s, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    size_t done = 0;

    if (s->unsent != NULL)
        return -EAGAIN;
    while (done < len && s->unsent == NULL) {
        size_t part = len - done < RECORD_LEN ? len - done : RECORD_LEN;
        size_t put = 0;

        if (SSL_write_ex(s->ssl, from + done, part, &put) != 1) {
            ssize_t why = outcome(s);

            return done > 0 ? (ssize_t)done : why == 0 ? -EPIPE : why;
        }
        done += put;
    }
    return (ssize_t)done;
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
    return 0;
}

void tls_session_end(struct tls_session *s)
{
    if (s->ended || !SSL_is_init_finished(s->ssl))
        return;
    s->ended = true;
    IGNORE(SSL_shutdown(s->ssl) < 0, "the peer may be gone already");
    ERR_clear_error();
}
