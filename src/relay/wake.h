/*
 * wake: devices are woken on behalf of binaries, by a process that talks to
 * Google (wire/push_message.h, docs/push.md).
 *
 * A binary's worker admits its wish and hands it on by one send(2) that never
 * waits: a pipe that is full costs the wish, not the worker.  What came of it
 * is heard on the control shard, logged and counted there.  Between the two a
 * wake is in one of LIMIT_WAKES slots, which is the cap of those under way, and
 * ends exactly once.
 */
#pragma once

#include "net/stream.h"
#include "relay/address_table.h"
#include "relay/limits.h"
#include "relay/wake_ceiling.h"
#include "wire/push_message.h"

enum {
    /* the process answers within PROCESS_WAKE_MS of src/push/process.h; what
     * it has not answered by then it has lost */
    WAKE_ANSWER_MS = 90000,
    /* what is under way when the relay ends: for it to be given up; after a
     * drain of 10 s, and before the processes' end, 12 s hold all of it */
    WAKE_CLOSE_MS = 750,
    WAKE_FP_LEN = 8, /* hex digits of a token's hash in the log */
};

struct relay;
struct conn;

/* A wake under way; written by the worker that takes the slot, read by the
 * control shard, never by both at once. */
struct wake_slot {
    /* the wake's id while its fields may be read; WAKE_SLOT_ of wake.c */
    _Atomic uint32_t holder;
    _Atomic uint64_t began_ms;
    char token_fp[WAKE_FP_LEN + 1];
    size_t server_id_len;
    char server_id[LIMIT_SERVER_ID_BYTES];
};

/* Of a shard: where a wish becomes a message. */
struct wake_scratch {
    uint8_t token[PUSH_TOKEN_MAX];
    uint8_t message[PUSH_MESSAGE_MAX];
};

/* All zero: push is off. */
struct wakes {
    struct stream stream; /* the channel, read by the control shard */
    struct relay *relay;
    bool is_on;   /* decided at boot */
    bool is_open; /* the stream is */
    int send_fd;  /* the channel, written by workers; open while they run */
    atomic_bool is_down;            /* no process takes wakes */
    _Atomic uint32_t serial;        /* of the latest wake */
    struct address_table *accounts; /* of server-ids */
    struct wake_ceiling ceiling;
    struct wake_slot slots[LIMIT_WAKES];
};

/*
 * Push is on: take the channel over and listen to it; before the workers run.
 * 0 or -errno; the descriptor is then still the caller's.
 */
MUST_CHECK NONNULL int wake_open(struct relay *relay, int fd);

/* On the binary's worker: it wishes so; value is the JSON of its push_wake. */
NONNULL void wake_request(struct conn *binary, struct span value);

/* Once a second, on the control shard: give up what is never answered. */
NONNULL void wake_tick(struct relay *relay);

/* How many are under way. */
NONNULL size_t wake_count(const struct relay *relay);

/* The workers are done: have what is under way given up, log what came of
 * it, and close the channel, upon which the process ends. */
NONNULL void wake_close(struct relay *relay);
/* Then the rest; safe where push is off.  The control shard's worker still
 * has to be done. */
NONNULL void wake_done(struct relay *relay);
