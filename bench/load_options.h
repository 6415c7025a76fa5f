/*
 * load_options: what the load generator is asked to do.
 *
 * Everything happens on 127.0.0.1 and ends by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

enum { LOAD_PIDS_MOST = 64 };

enum load_mode { LOAD_FLOOD, LOAD_PING, LOAD_IDLE, LOAD_CHURN };

/* What the server is, and so how a pair comes to be. */
enum load_form {
    LOAD_RELAY, /* WebSockets, envelopes: binaries, then phones */
    LOAD_PAIRS, /* copies between connections in the order that they come */
    LOAD_PROXY, /* passes a connection on to our own listener */
};

enum { LOAD_UP = 1, LOAD_DOWN = 2 }; /* up: from phone to binary */

struct load_options {
    enum load_mode mode;
    enum load_form form;
    uint16_t port;
    uint16_t backend;        /* LOAD_PROXY: where we listen */
    const char *certificate; /* LOAD_PROXY with TLS: what our listener shows */
    const char *key;
    const char *name; /* Host and server name */
    const char *id;   /* of the server-ids, before the pair's number */
    uint64_t pairs;
    uint64_t size;       /* bytes of the JSON value */
    uint64_t window;     /* messages under way, of a pair and direction */
    uint64_t burst;      /* messages a write, at most the window */
    uint64_t directions; /* LOAD_UP, LOAD_DOWN, or both */
    uint64_t messages;   /* then end, of a pair and direction; 0: by time */
    uint64_t rate;       /* round trips a second, all pairs; 0: at once */
    uint64_t warm_up_ms;
    uint64_t measure_ms;
    uint64_t limit_ms;   /* of the whole run */
    uint64_t concurrent; /* LOAD_CHURN: connections under way */
    uint64_t sources;
    bool tls;
    bool resume;                /* LOAD_CHURN: sessions */
    pid_t pids[LOAD_PIDS_MOST]; /* of the server */
    size_t pid_count;
};

/* True, or false after a line on stderr that says what is wrong. */
MUST_CHECK NONNULL bool load_options_parse(
    int argc, char *argv[], struct load_options *ret);

NONNULL const char *load_options_mode_name(const struct load_options *o);
NONNULL const char *load_options_form_name(const struct load_options *o);
