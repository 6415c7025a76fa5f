/*
 * agent_link: the relay's end of the channel to its certificate agent, on the
 * control shard.
 *
 * What comes is read one message a round, parsed strictly
 * (wire/agent_message.h), and acted upon: challenges are presented and
 * withdrawn, certificates installed, failures logged and counted.  Keys pass
 * through the worker's read buffer, which is wiped behind each message.  A
 * message that is none, or the end of the channel, is an ERROR, and the relay
 * goes on with what it has.  Nothing here blocks.
 */
#pragma once

#include "net/stream.h"
#include "wire/agent_message.h"

struct relay;

struct agent_link {
    struct stream stream; /* stream.fd: -1 where there is none any more */
    struct relay *relay;
    bool is_open;
    bool is_told;      /* it was logged that there is no certificate */
    size_t presenting; /* batches on their way to the shards */
    size_t answer_len; /* 0: nothing is to be answered */
    char answer[AGENT_NAME_MAX]; /* what is asked to be presented */
    int64_t next_try_s;          /* Unix time; 0: unknown */
    int64_t issued_s;            /* the last success of this boot; 0: none */
};

/* Take the descriptor over and listen to it; before the workers run.  0 or
 * -errno; the descriptor is then still the caller's. */
MUST_CHECK NONNULL int agent_link_open(struct relay *relay, int fd);

/* Close the channel, upon which the agent ends; nothing where none is open. */
NONNULL void agent_link_close(struct relay *relay);
