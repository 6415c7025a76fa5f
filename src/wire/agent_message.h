/*
 * agent_message: what the relay and its certificate agent say to each other
 * over their socket pair (src/acme/agent.h, docs/certificates.md).
 *
 * A message is a fixed head and some parts; each type has its own number of
 * parts, each part its own limits, each direction its own types, and all of
 * it is checked here.  Pure: the spans of a parsed message point into the
 * input; the encoder writes to the caller's memory.  Parts hold keys: the
 * buffers they pass through are wiped by their owners.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum {
    AGENT_PARTS_MAX = 3,
    AGENT_HEAD_LEN = 16,
    /* text of one part, NUL not counted */
    AGENT_NAME_MAX = 253,     /* a domain name, RFC 1035 */
    AGENT_TOKEN_MAX = 128,    /* a challenge's token; CAs use 43 */
    AGENT_KEY_AUTH_MAX = 192, /* token "." thumbprint */
    AGENT_KEY_PEM_MAX = 8192, /* RSA 8192 is 6.4 kB */
    AGENT_CHAIN_MAX = 65536,  /* PEM of leaf and issuers */
    AGENT_TEXT_MAX = 512,     /* a sentence for the log */
    /* the largest message: AGENT_CERTIFICATE */
    AGENT_MESSAGE_MAX = AGENT_HEAD_LEN + 4 * AGENT_PARTS_MAX + AGENT_NAME_MAX +
                        AGENT_KEY_PEM_MAX + AGENT_CHAIN_MAX,
};

enum agent_direction {
    AGENT_TO_RELAY,
    AGENT_TO_AGENT,
};

enum agent_type {
    /* To the relay. */

    /* token, key authorization: serve it on port 80, then answer
     * AGENT_PRESENTED; RFC 8555 section 8.3 */
    AGENT_PRESENT_HTTP,
    /* domain, key PEM, certificate PEM: serve it to handshakes with ALPN
     * acme-tls/1, then answer AGENT_PRESENTED; RFC 8737 */
    AGENT_PRESENT_TLS,
    /* the first part of the message above; no answer */
    AGENT_WITHDRAW,
    /* domain, key PEM, chain PEM; kind: enum agent_source; when: its expiry */
    AGENT_CERTIFICATE,
    /* text for the log; kind: enum agent_failure; when: the next try */
    AGENT_FAILURE,
    /* kind: enum agent_state; when: the next order, AGENT_IDLE only */
    AGENT_STATUS,

    /* To the agent. */

    /* the first part of what is now being served */
    AGENT_PRESENTED,
    /* order now, whatever the schedule says */
    AGENT_RENEW,
    AGENT_STOP,
    AGENT_TYPE_COUNT
};

/* Where a certificate comes from. */
#define AGENT_SOURCE_LIST(X)                                                   \
    X(AGENT_CACHED, "cached")                                                  \
    X(AGENT_ISSUED, "issued")                                                  \
    X(AGENT_CACHED_RSA, "cached-rsa") /* beside it, for who has no ECDSA */

/* What went wrong; the names are those of the log and of the metric. */
#define AGENT_FAILURE_LIST(X)                                                  \
    X(AGENT_NO_FAILURE, "none")                                                \
    X(AGENT_NETWORK, "network")           /* not reached, or too slow */       \
    X(AGENT_UNTRUSTED, "untrusted")       /* the CA's TLS certificate */       \
    X(AGENT_PROTOCOL, "protocol")         /* an answer that makes no sense */  \
    X(AGENT_RATE_LIMITED, "rate-limited") /* the CA says not now */            \
    X(AGENT_CHALLENGE, "challenge")       /* the CA could not validate us */   \
    X(AGENT_REFUSED, "refused")           /* the CA says no */                 \
    X(AGENT_BAD_CERTIFICATE, "bad-certificate") /* not what we ordered */      \
    X(AGENT_STORE, "store")                     /* the directory */            \
    X(AGENT_INTERNAL, "internal")               /* memory, cryptography */     \
    X(AGENT_DIED, "died")           /* the agent; it is started anew */        \
    X(AGENT_CANCELLED, "cancelled") /* the relay is gone, or said stop */

/* AGENT_STARTING: an agent has begun, maybe after another has died; nothing
 * is presented any more. */
#define AGENT_STATE_LIST(X)                                                    \
    X(AGENT_STARTING, "starting")                                              \
    X(AGENT_IDLE, "idle")                                                      \
    X(AGENT_ORDERING, "ordering")

#define X(name, text) name,
enum agent_source { AGENT_SOURCE_LIST(X) AGENT_SOURCE_COUNT };
enum agent_failure { AGENT_FAILURE_LIST(X) AGENT_FAILURE_COUNT };
enum agent_state { AGENT_STATE_LIST(X) AGENT_STATE_COUNT };
#undef X

struct agent_message {
    enum agent_type type;
    uint8_t kind;    /* by type; 0 where the type has none */
    uint64_t when_s; /* Unix time; 0 where the type has none, or unknown */
    struct span parts[AGENT_PARTS_MAX];
    size_t len; /* bytes consumed; set by the parser, ignored by the encoder */
};

enum agent_message_status {
    AGENT_MESSAGE_OK,
    AGENT_MESSAGE_MORE,
    AGENT_MESSAGE_BAD, /* the other side is broken: end the pipe */
};

/*
 * Parse the message at the start of in, which travels in that direction.
 * *ret is written on AGENT_MESSAGE_OK only.  Every part is printable ASCII,
 * PEM with its line ends, but for a failure's text: whoever logs that escapes
 * it.
 */
MUST_CHECK NONNULL enum agent_message_status agent_message_parse(
    struct span in, enum agent_direction direction, struct agent_message *ret);

/*
 * Write the message to ret, cap bytes.  Returns its length; 0 if it breaks a
 * rule that the parser checks, or does not fit.  AGENT_MESSAGE_MAX is enough.
 */
MUST_CHECK NONNULL size_t agent_message_encode(
    const struct agent_message *message, uint8_t *ret, size_t cap);

/* Names for the log and the metrics. */
const char *agent_failure_name(enum agent_failure failure);
const char *agent_source_name(enum agent_source source);
const char *agent_state_name(enum agent_state state);
