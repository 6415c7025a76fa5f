/*
 * stage: a relay whose workers run by hand and whose clock is set, with peers
 * on socket pairs.  Nothing happens but in stage_run() and stage_skip(), so a
 * test decides what happens before what.
 */
#pragma once

#include "relay/relay.h"

struct stage {
    struct config config;
    struct relay relay;
};

/* A relay of that many workers; more arguments of the command line end with
 * NULL. */
void stage_open(struct stage *s, int threads, const char *const *more);
void stage_close(struct stage *s);

/* Let every worker do what there is to do, until nothing is left. */
void stage_run(struct stage *s);
/* One round of one worker alone. */
void stage_run_shard(struct stage *s, size_t shard);
/* One round of the control shard, which takes part in nothing else. */
void stage_run_control(struct stage *s);
/* Move the clock forward, acting on each deadline on the way. */
void stage_skip(struct stage *s, uint64_t ms);

/* A peer that has sent its request head to the shard; nothing has run yet. */
int stage_connect(
    struct stage *s, size_t shard, const char *path, const char *server_id);
/* The same, run until it is answered with 101. */
int stage_binary(struct stage *s, const char *server_id);
int stage_phone(struct stage *s, const char *server_id);

/* Send a masked frame. */
void stage_send(int peer, enum ws_opcode opcode, struct span payload);
void stage_send_text(int peer, const char *text);
void stage_send_close(int peer, uint16_t code);

struct stage_frame {
    enum ws_opcode opcode;
    size_t len;
    uint8_t payload[512];
};

/* The next frame that has arrived; false: there is none (yet, or ever). */
bool stage_recv(int peer, struct stage_frame *ret);
/* The next one, of which this is the text. */
void stage_expect_text(int peer, const char *text);
/* Pings aside, the next one is a close with that code and reason. */
void stage_expect_close(int peer, uint16_t code, const char *reason);
/* Nothing but pings has arrived. */
void stage_expect_nothing(int peer);
/* The next one is a ping; it is answered, or not. */
enum stage_answer { STAGE_PONG, STAGE_SILENCE };
void stage_expect_ping(int peer, enum stage_answer answer);

/* What the workers have counted of it. */
uint64_t stage_count(const struct stage *s, enum metric which);
