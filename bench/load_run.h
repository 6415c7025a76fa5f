/*
 * load_run: one run of the load generator, and what it has seen.
 *
 * One thread and one epoll.  The first thing that is not as it must be is the
 * run's fault; everything stops there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "bench/histogram.h"
#include "bench/load_options.h"
#include "bench/payload.h"
#include "bench/peer.h"
#include "bench/usage.h"

enum { LOAD_PREFIX_MOST = 512 /* bytes of an envelope before its value */ };

/* One direction of a pair. */
struct lane {
    uint64_t sent;
    uint64_t received;
};

struct pair {
    struct peer phone;
    struct peer *binary; /* NULL until it is open */
    struct lane up;
    struct lane down;
    uint8_t *prefix; /* of the envelope around each value, at the binary */
    size_t prefix_len;
    uint64_t asked_ns; /* ping: when the round trip began, or was due */
    bool is_asking;
};

enum load_phase {
    LOAD_SETTING_UP,
    LOAD_WARMING_UP,
    LOAD_MEASURING,
    LOAD_DRAINING, /* nothing more is sent */
};

struct load_run {
    struct peer_host host; /* first: a host is its run */
    const struct load_options *options;
    enum load_phase phase;
    struct payload payload;
    struct pair *pairs;
    struct peer *churners; /* options->concurrent */
    struct peer *binaries; /* options->pairs */
    uint64_t binaries_used;
    int listener;       /* of LOAD_PROXY; -1: none */
    uint8_t *output;    /* room for a burst */
    uint32_t key;       /* of the last frame that was masked */
    uint32_t next_pair; /* ping with a rate: who is next */
    uint64_t next_due_ns;
    uint64_t deadline_ns;
    uint64_t open;   /* peers of pairs */
    uint64_t wanted; /* that are to be open before we go on */
    /* while measuring */
    uint64_t messages;
    uint64_t handshakes;
    struct histogram latency_ns;
    struct usage before; /* any connection */
    struct usage begin;
    struct usage end;
    uint64_t own_cpu_ns;
    uint64_t measured_ns;
    char fault[160]; /* empty: none */
};

/* Note a fault, if it is the first. */
PRINTF_LIKE(2, 3)
NONNULL void load_run_fail(struct load_run *run, const char *fmt, ...);

static inline bool load_run_failed(const struct load_run *run)
{
    return run->fault[0] != '\0';
}

static inline struct load_run *load_run_of(struct peer_host *host)
{
    return (struct load_run *)(void *)host;
}

/*
 * Serve events until the time, or until is_done (may be NULL) says so; false
 * if there was a fault.  Between rounds, tick (may be NULL) is called with
 * the time, and returns when it wants to be called again.
 */
typedef bool load_done_fn(const struct load_run *run);
typedef uint64_t load_tick_fn(struct load_run *run, uint64_t now_ns);

MUST_CHECK bool load_run_until(struct load_run *run, uint64_t until_ns,
    load_done_fn *is_done, load_tick_fn *tick);

/* The whole run: 0, or -errno; what was wrong is in run->fault. */
MUST_CHECK NONNULL int load_run(
    const struct load_options *options, struct load_run *run);
NONNULL void load_run_free(struct load_run *run);
