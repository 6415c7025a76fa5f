/*
 * tls_session: one connection's TLS, over a descriptor that its stream owns.
 *
 * Nothing blocks.  A write never leaves a record half made: what the socket
 * does not take is kept here, at most one record beyond a handshake's flight
 * and the answers of TLS to what was read, and goes out first.  Records that
 * were read ahead are said by tls_session_has_more(): the socket does not
 * become readable for them.
 *
 * A read is bounded in records' bytes, whatever data they hold.  A peer that
 * asks to renegotiate, or that renews its keys without sending data, is
 * refused: -EPROTO.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/attr.h"

struct tls_server;
struct tls_session;

/* name, label of the metric, text for the log */
#define TLS_FAILURE_LIST(X)                                                    \
    X(TLS_FAILURE_NONE, "none", "no failure")                                  \
    X(TLS_FAILURE_CLOSED, "closed", "the peer ended the connection")           \
    X(TLS_FAILURE_PLAIN_HTTP, "plain_http", "plain HTTP on the TLS port")      \
    X(TLS_FAILURE_NOT_TLS, "not_tls", "the peer does not speak TLS")           \
    X(TLS_FAILURE_NAME, "server_name", "server name missing or not ours")      \
    X(TLS_FAILURE_NOT_READY, "no_certificate", "there is no certificate yet")  \
    X(TLS_FAILURE_VERSION, "version", "no common version")                     \
    X(TLS_FAILURE_PARAMETERS, "parameters",                                    \
        "no common cipher, group or signature algorithm")                      \
    X(TLS_FAILURE_ALPN, "alpn", "no common application protocol")              \
    X(TLS_FAILURE_ALERT, "peer_alert", "the peer sent an alert")               \
    X(TLS_FAILURE_PROTOCOL, "protocol", "the peer broke the protocol")

enum tls_failure {
#define X(name, label, text) name,
    TLS_FAILURE_LIST(X)
#undef X
        TLS_FAILURE_COUNT
};

/* A session that waits for its ClientHello.  NULL: out of memory. */
MUST_CHECK NONNULL struct tls_session *tls_session_new(
    struct tls_server *server, int fd);
void tls_session_free(struct tls_session *s);

/* Go on with the handshake: 0: done; -EAGAIN: more bytes must come;
 * -EINPROGRESS: nothing can be shown yet: call again once it can be, and read
 * nothing until then; -EPROTO: it failed, and the alert is sent. */
MUST_CHECK NONNULL int tls_session_handshake(struct tls_session *s);
/* From now on, nothing to show is a failure. */
NONNULL void tls_session_stop_waiting(struct tls_session *s);

/* Why it failed; and the library's own words. */
NONNULL enum tls_failure tls_session_failure(const struct tls_session *s);
NONNULL const char *tls_session_failure_text(const struct tls_session *s);
const char *tls_failure_label(enum tls_failure failure);
const char *tls_failure_text(enum tls_failure failure);

/* What was agreed, once the handshake is done. */
NONNULL bool tls_session_is_resumed(const struct tls_session *s);
NONNULL bool tls_session_is_tls13(const struct tls_session *s);
/* Was it for a challenge?  Then nothing more is to be said in it. */
NONNULL bool tls_session_is_challenge(const struct tls_session *s);

/* As stream_read() and stream_write(); both may leave something unsent.  A
 * write takes nothing while something is; -EAGAIN although nothing is: the peer
 * is in the midst of a message of TLS itself, and its rest must be read. */
MUST_CHECK NONNULL ssize_t tls_session_read(
    struct tls_session *s, const struct iovec *to, int count);
MUST_CHECK NONNULL ssize_t tls_session_write(
    struct tls_session *s, const void *bytes, size_t len);

/* May there be something to read although the socket has nothing? */
NONNULL bool tls_session_has_more(const struct tls_session *s);

/* Bytes that have come from the socket since the last call: records, whatever
 * they hold. */
NONNULL size_t tls_session_take_received(struct tls_session *s);

/* Has the peer made TLS answer so much, and not read it, that no more of it is
 * to be read before all is flushed?  Reads say -EAGAIN until then. */
NONNULL bool tls_session_is_flooded(const struct tls_session *s);

/* Bytes of records that the socket has not taken. */
NONNULL size_t tls_session_unsent(const struct tls_session *s);
/* Bytes that it keeps for its peer: those, with what has been sent of them, and
 * an unfinished ClientHello. */
NONNULL size_t tls_session_kept(const struct tls_session *s);
/* Send them: 0: done; -EAGAIN: would block; else -errno. */
MUST_CHECK NONNULL int tls_session_flush(struct tls_session *s);

/* Say close_notify, once; it may be unsent afterwards. */
NONNULL void tls_session_end(struct tls_session *s);
