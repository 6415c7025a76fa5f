/*
 * peer: one connection of the load generator: TCP, TLS if wanted, a WebSocket
 * upgrade if wanted, then frames.
 *
 * Peers share a host: the epoll descriptor, the TLS contexts, a read buffer,
 * and whoever is told what happens.  What comes and goes stays in the host's
 * buffers; only a frame that a read cut and bytes that the socket did not
 * take are kept by the peer.  The owner's memory; peer_close() may be called
 * at any time, from a callback too, and leaves it reusable.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "bench/frame.h"

enum peer_role { PEER_BINARY, PEER_PHONE };

/* What is between the connection and its frames. */
enum peer_entry {
    PEER_ENTRY_NONE,    /* frames follow at once */
    PEER_ENTRY_ASKS,    /* we ask for the upgrade */
    PEER_ENTRY_ANSWERS, /* we accepted the connection and answer the request */
};

enum peer_state {
    PEER_CLOSED,
    PEER_CONNECTING,
    PEER_HANDSHAKING,
    PEER_UPGRADING,
    PEER_OPEN,
};

struct peer {
    int fd; /* -1: closed */
    enum peer_state state;
    enum peer_role role;
    enum peer_entry entry;
    uint32_t index; /* of its pair; of an accepted one, known when it is open */
    bool waits_to_write;
    bool is_ended; /* by us: the server's end is all that is waited for */
    SSL *tls;
    uint8_t *kept; /* the start of a frame or head that is not whole yet */
    size_t kept_len;
    size_t kept_cap;
    uint8_t *unsent;
    size_t unsent_len;
};

struct peer_host;

/* None of these may free the peer; each may close it. */
struct peer_events {
    void (*opened)(struct peer_host *host, struct peer *p);
    void (*received)(struct peer_host *host, struct peer *p, struct span text);
    /* all that could be read was; whatever was received has been told */
    void (*round)(struct peer_host *host, struct peer *p);
    void (*writable)(struct peer_host *host, struct peer *p);
    /* why is for people; the peer is closed already */
    void (*lost)(struct peer_host *host, struct peer *p, const char *why);
};

struct peer_host {
    int epoll;
    SSL_CTX *tls_out;     /* of connections that we make; NULL: plain */
    SSL_CTX *tls_in;      /* of those that we accept; NULL: plain */
    SSL_SESSION *session; /* resumed by connections that we make; or NULL */
    const char *name;     /* Host and server name */
    const char *id;       /* of our server-ids, before the pair's number */
    uint16_t port;        /* of the server, on 127.0.0.1 */
    uint32_t sources;     /* 127.0.0.1 and so on, that we connect from */
    uint32_t next_source;
    uint64_t pings; /* answered */
    uint8_t *input; /* PEER_INPUT bytes */
    const struct peer_events *events;
};

enum { PEER_INPUT = 524288 };

/* Begin to connect: 0, or -errno. */
MUST_CHECK NONNULL int peer_connect(struct peer_host *host, struct peer *p,
    enum peer_role role, enum peer_entry entry, uint32_t index);

/* Take an accepted descriptor over, always: 0, or -errno. */
MUST_CHECK NONNULL int peer_accept(
    struct peer_host *host, struct peer *p, int fd);

/* What epoll said of it. */
NONNULL void peer_on_event(
    struct peer_host *host, struct peer *p, uint32_t events);

/*
 * Send bytes, whole frames; what the socket does not take is kept.  Not while
 * bytes are kept (unsent_len), but for answers to pings.
 */
NONNULL void peer_send(struct peer_host *host, struct peer *p, struct span b);

/* Send our end of stream; lost() follows once the server's has come. */
NONNULL void peer_end(struct peer *p);

/* Close at once, without a word (RST: no TIME_WAIT is left behind). */
NONNULL void peer_close(struct peer *p);
