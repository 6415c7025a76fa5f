/*
 * session: what a registered connection's messages and its end ask for.
 * conn.h and frames.h report here.
 */
#pragma once

#include "relay/conn.h"

/* Why a connection ended, where no close frame of the peer says it: what a
 * close notice then carries. */
enum {
    SESSION_LOST = 1001,      /* the peer is gone, or broke the rules */
    SESSION_FAULT = 1011,     /* we closed it: it did not keep up */
    SESSION_WRITE_FAILED = 1, /* the same, and its queue is lost */
};

/* A message arrived; its bytes may be overwritten. */
NONNULL void session_message(
    struct conn *c, enum ws_opcode opcode, struct span payload);

/* An item was written to the peer; a frame, at that time of worker_clock_ns().
 */
NONNULL void session_item_sent(
    struct conn *c, const struct outbox_item *item, uint64_t now_ns);
/* A frame that its sender sent so long was written to the peer, at that time;
 * it was read at the other one. */
NONNULL void session_frame_sent(
    struct conn *c, uint32_t payload_len, uint64_t read_ns, uint64_t now_ns);
/* The queue was written as far as the socket takes it. */
NONNULL void session_flushed(struct conn *c);

/*
 * The connection ends, for a reason of its own: how is the code of the peer's
 * close frame, or one of the above.  err goes to the log and holds no peer's
 * bytes.  Does nothing for a connection that no slot knows.
 */
NONNULL void session_ended(struct conn *c, unsigned how, const char *err);

/* A fault of the phone's own that is not its end yet: tell its binary, take it
 * out of its slot, and close it. */
NONNULL void session_expel(
    struct conn *phone, uint16_t code, const char *reason);

/* Another binary took its server-id: close it. */
NONNULL void session_displaced(struct conn *binary);

/* The relay itself takes a registered phone out of its slot. */
NONNULL void session_evicted(
    struct conn *phone, uint16_t code, const char *reason);

/* The grace window of their slot is over. */
void session_grace_over(struct conn *const *phones, size_t count);

/* Close for the drain. */
NONNULL void session_drain(struct conn *c);
/* The same for one that is open, with all that is queued for it before. */
NONNULL void session_part(struct conn *c);
