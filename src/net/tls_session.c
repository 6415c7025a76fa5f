#include "net/tls_session.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "net/tls_part.h"

enum {
    RECORD_LEN = 16384, /* bytes of payload in the largest record */
    /* bytes of records that one read takes: no peer keeps the others waiting
     * for longer than that, whatever its records hold */
    TURN_BYTES = 65536,
    /* messages of TLS itself after which a read takes no more: each costs as
     * much as tens of KiB of data */
    TURN_MESSAGES = 32,
    /* messages of TLS itself without data between them: a peer that renews
     * its keys more often than that does nothing else */
    IDLE_MESSAGES_MAX = 32,
    /* bytes of answers to those that the peer has not taken: above it that
     * peer is not read */
    ANSWERS_MAX = 4096,
};

/* ---- a session comes and goes ---- */

/*
 * After the handshake: a message of TLS itself has come, or goes out.  Each
 * costs more than a byte of data.  SSL_OP_NO_RENEGOTIATION answers each attempt
 * at it and goes on; here the first one ends the session.
 */
/* NOLINTNEXTLINE(readability-function-size): OpenSSL's callback. */
static void on_message(int is_ours, int version, int type, const void *bytes,
    size_t len, SSL *ssl, void *arg)
{
    struct tls_session *s = arg;
    const uint8_t *alert = bytes;

    (void)version;
    (void)ssl;
    if (s->server != NULL)
        return;
    if (is_ours) {
        s->refused = s->refused || (type == SSL3_RT_ALERT && len == 2 &&
                                       alert[1] == SSL_AD_NO_RENEGOTIATION);
    } else if (type == SSL3_RT_HANDSHAKE) {
        s->turn_messages++;
        s->refused = s->refused || ++s->idle_messages > IDLE_MESSAGES_MAX;
    }
}

static bool attach(struct tls_session *s)
{
    BIO *bio = BIO_new(s->server->shared->bio);

    if (bio == NULL)
        return false;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_msg_callback(s->ssl, on_message);
    SSL_set_msg_callback_arg(s->ssl, s);
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

static enum tls_failure failure_of_error(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
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

    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return TLS_FAILURE_PROTOCOL;
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
    if (tls_bio_hello_is_too_long(s))
        return TLS_FAILURE_PROTOCOL;
    if (s->error != 0 || error == 0)
        return TLS_FAILURE_CLOSED;
    return failure_of_error(error);
}

/* The first error of TLS, for the numbers of other libraries mean something
 * else; or else the first of any.  None is left. */
static unsigned long take_error(void)
{
    unsigned long first = ERR_get_error();
    unsigned long error = first;

    while (error != 0 && ERR_GET_LIB(error) != ERR_LIB_SSL)
        error = ERR_get_error();
    ERR_clear_error();
    return error == 0 ? first : error;
}

static void note_failure(struct tls_session *s)
{
    unsigned long error = take_error();
    const char *words = error == 0 ? NULL : ERR_reason_error_string(error);

    if (tls_bio_hello_is_too_long(s))
        words = "the ClientHello is too long";
    s->failure = find_failure(s, error);
    s->failure_text = words == NULL ? tls_failure_text(s->failure) : words;
}

/* SSL_get_error(3) looks at the thread's errors: those of others, or of a
 * message that was answered, are none of the call that follows. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static void begin_turn(struct tls_session *s)
{
    s->turn_left = TURN_BYTES;
    s->turn_messages = 0;
    s->drained = false;
    s->more = false;
}

int tls_session_handshake(struct tls_session *s)
{
    int done = 0;

    assert(s->server != NULL && s->failure == TLS_FAILURE_NONE);
    forget_errors();
    begin_turn(s);
    done = SSL_do_handshake(s->ssl);
    if (done == 1) {
        s->server = NULL;
        s->more = SSL_has_pending(s->ssl) == 1;
        return 0;
    }
    switch (SSL_get_error(s->ssl, done)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return -EINPROGRESS;
    default:
        note_failure(s);
        return -EPROTO;
    }
}

void tls_session_stop_waiting(struct tls_session *s)
{
    s->impatient = true;
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
    if (s->refused)
        return -EPROTO;
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

/* How filling a buffer ended: FULL, or as outcome(). */
enum { FULL = 1 };

/* Fill the buffer from records as long as there are any, and this turn may
 * take more.  *have counts what is in it. */
static ssize_t fill(
    struct tls_session *s, uint8_t *to, size_t len, size_t *have)
{
    while (*have < len) {
        size_t got = 0;

        if (tls_session_is_flooded(s) || s->turn_messages > TURN_MESSAGES) {
            s->more = SSL_has_pending(s->ssl) == 1;
            return -EAGAIN;
        }
        forget_errors();
        s->starved = false;
        if (SSL_read_ex(s->ssl, to + *have, len - *have, &got) != 1) {
            ssize_t why = outcome(s);

            if (why == -EAGAIN && !s->starved)
                continue; /* a record without data */
            return why;
        }
        if (s->refused)
            return -EPROTO;
        *have += got;
        s->idle_messages = 0;
        if (s->drained && SSL_has_pending(s->ssl) == 0)
            return -EAGAIN;
    }
    return FULL;
}

/* What came before an end or an error counts; that shows at the next call,
 * which nothing but has_more() asks for: OpenSSL has read it already. */
ssize_t tls_session_read(
    struct tls_session *s, const struct iovec *to, int count)
{
    ssize_t how = FULL;
    size_t have = 0;

    begin_turn(s);
    for (int i = 0; i < count && how == FULL; i++) {
        size_t part = 0;

        how = fill(s, to[i].iov_base, to[i].iov_len, &part);
        have += part;
    }
    if (how == FULL) {
        s->more = SSL_has_pending(s->ssl) == 1;
    } else if (how != -EAGAIN) {
        s->more = have > 0;
    }
    return have > 0 ? (ssize_t)have : how;
}

bool tls_session_has_more(const struct tls_session *s)
{
    return s->more;
}

size_t tls_session_take_received(struct tls_session *s)
{
    size_t received = s->received;

    s->received = 0;
    return received;
}

size_t tls_session_kept(const struct tls_session *s)
{
    return s->unsent_len + (s->server == NULL ? 0 : s->hello.largest);
}

bool tls_session_is_flooded(const struct tls_session *s)
{
    return s->answers > ANSWERS_MAX;
}

/* One record, or what OpenSSL takes of it. */
static ssize_t write_record(
    struct tls_session *s, const uint8_t *from, size_t len)
{
    size_t put = 0;
    ssize_t why = 0;

    forget_errors();
    s->writes = true;
    if (SSL_write_ex(s->ssl, from, len, &put) != 1)
        why = outcome(s);
    s->writes = false;
    if (put > 0)
        return (ssize_t)put;
    return why == 0 ? -EPIPE : why;
}

ssize_t tls_session_write(struct tls_session *s, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    size_t done = 0;

    if (s->unsent != NULL)
        return -EAGAIN;
    while (done < len && s->unsent == NULL) {
        size_t part = len - done < RECORD_LEN ? len - done : RECORD_LEN;
        ssize_t put = write_record(s, from + done, part);

        if (put < 0)
            return done > 0 ? (ssize_t)done : put;
        done += (size_t)put;
    }
    return (ssize_t)done;
}

void tls_session_end(struct tls_session *s)
{
    if (s->ended || !SSL_is_init_finished(s->ssl))
        return;
    s->ended = true;
    forget_errors();
    IGNORE(SSL_shutdown(s->ssl) < 0, "the peer may be gone already");
    ERR_clear_error();
}
