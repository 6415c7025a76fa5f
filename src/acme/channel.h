/*
 * channel: one end of the socket pair between relay and agent, blocking.
 *
 * The pair is SOCK_SEQPACKET: a message travels whole or not at all, so that
 * an agent that dies in the middle of one leaves nothing half behind.
 */
#pragma once

#include "base/attr.h"
#include "wire/agent_message.h"

struct channel;

/* An end over fd, which stays the caller's; NULL without memory. */
MUST_CHECK struct channel *channel_new(int fd, enum agent_direction receives);
void channel_free(struct channel *c);

/*
 * The next message, whose parts are valid until the next call: 1.  None
 * within timeout_ms (-1: for ever): 0.  -EPIPE: the other end is gone;
 * -EBADMSG: it is broken; else -errno.
 */
MUST_CHECK NONNULL int channel_receive(
    struct channel *c, int timeout_ms, struct agent_message *ret);

/* 0; -EINVAL for a message that the codec refuses; else -errno. */
MUST_CHECK NONNULL int channel_send(
    struct channel *c, const struct agent_message *message);
