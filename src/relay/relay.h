/*
 * relay: the state of the running program: its worker, its listeners, its
 * connections and its registry.  main.c builds one; everything else in this
 * folder is handed one.
 */
#pragma once

#include "net/listener.h"
#include "net/worker.h"
#include "relay/config.h"
#include "relay/conn.h"
#include "relay/metrics.h"
#include "relay/registry.h"
#include "wire/http_head.h"

enum { RELAY_LISTENERS = 2 };

/* A listener that relay_bind() opens. */
struct relay_plan {
    const char *address; /* of the config */
    const char *label;   /* the option that asks for it */
    enum conn_surface surface;
};

/* A bound socket that waits for its listener. */
struct relay_socket {
    int fd; /* -1: none */
    const char *address;
    enum conn_surface surface;
};

struct relay {
    struct worker worker;
    const struct config *config;
    struct registry registry;
    struct metrics metrics;
    struct relay_socket sockets[RELAY_LISTENERS];
    struct listener listeners[RELAY_LISTENERS];
    uv_signal_t terminated;
    uv_signal_t interrupted;
    struct timer drain_timer;
    struct conn *conns; /* every connection that is not dead */
    size_t conn_count;
    size_t upgraded_count; /* of them, past their upgrade */
    struct conn *dirty;    /* connections with something to write */
    struct http_head head; /* of the request being read */
    uint64_t started_ms;
    uint32_t ping_count;
    bool draining;
    bool drain_late; /* the drain ran out of time */
    uint64_t exhausted_logged_ms;
};

/* 0 or -errno; nothing is bound yet. */
MUST_CHECK NONNULL int relay_init(
    struct relay *relay, const struct config *config);

/* What relay_bind() will open with that configuration; how many. */
NONNULL size_t relay_plan(
    const struct config *config, struct relay_plan ret[RELAY_LISTENERS]);

/* Bind and listen; logs `listener failed` and returns false on failure. */
MUST_CHECK NONNULL bool relay_bind(struct relay *relay);

/* Accept, serve, drain; returns when the last connection is gone or the
 * drain's time is over. */
MUST_CHECK NONNULL int relay_serve(struct relay *relay);

NONNULL void relay_done(struct relay *relay);

/* A connection died. */
NONNULL void relay_conn_gone(struct relay *relay, const struct conn *c);
