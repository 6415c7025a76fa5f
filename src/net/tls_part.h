/* tls_part: what the files of TLS share.  See tls.h and tls_session.h. */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"
#include "net/tls_hello_size.h"
#include "net/tls_session.h"

struct tls_identity {
    SSL_CTX *ctx; /* has certificate, ALPN, ciphers of TLS 1.2; the rest is
                     the server's */
    int64_t expires_s;
    enum tls_use use;
};

struct tls_shared {
    BIO_METHOD *bio;
};

struct tls_server {
    const struct tls_shared *shared;
    SSL_CTX *ctx; /* has everything but a certificate */
    tls_hello_fn *hello;
    void *owner;
    struct tls_ticket_keys tickets;
};

/* There is one for each connection: ordered by size. */
struct tls_session {
    SSL *ssl;
    struct tls_server *server; /* until the handshake is done */
    int fd;                    /* the stream's */
    int error;                 /* of the socket, as -errno; 0: none */
    size_t received;           /* see tls_session_take_received() */
    uint8_t *unsent;           /* records that the socket did not take; owned */
    size_t unsent_at;
    size_t unsent_len;
    size_t answers; /* of what is unsent, what nobody wrote */
    const char *failure_text;
    enum tls_failure failure;
    enum tls_verdict verdict;
    uint32_t turn_left;          /* bytes that this read may still take */
    uint32_t turn_messages;      /* of TLS itself, in this read */
    uint32_t idle_messages;      /* of TLS itself, since there was data */
    struct tls_hello_size hello; /* of the handshake */
    uint8_t first_len;
    uint8_t first[8]; /* bytes that came first */
    bool drained;     /* the socket had no more, in this read */
    bool starved;     /* OpenSSL wanted bytes and got none */
    bool more;        /* see tls_session_has_more() */
    bool impatient;   /* see tls_session_stop_waiting() */
    bool writes;      /* in tls_session_write() */
    bool refused;     /* the peer went too far: no more of it */
    bool ended;       /* close_notify is queued or sent */
    bool at_end;      /* the peer ended its side of the socket */
    bool greeted;     /* a ClientHello has come, whole */
};

/* Does the peer want to send a longer ClientHello than anybody needs? */
NONNULL bool tls_bio_hello_is_too_long(const struct tls_session *s);

/* Whose connection it is: its BIO knows, which is cheaper than OpenSSL's
 * application data. */
static inline struct tls_session *tls_session_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* Reads and writes the session's descriptor. */
BIO_METHOD *tls_bio_method_new(void);
