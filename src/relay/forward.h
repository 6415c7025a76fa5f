/*
 * forward: a message's way from one peer's socket to another's queue.
 *
 * Phone to binary: one valid JSON value, wrapped into an envelope.  Binary to
 * phone: the envelope is checked, the frame's bytes go on verbatim.  What
 * leaves is always text.
 */
#pragma once

#include "relay/conn.h"

NONNULL void forward_from_phone(
    struct conn *phone, enum ws_opcode opcode, struct span payload);
NONNULL void forward_from_binary(
    struct conn *binary, enum ws_opcode opcode, struct span payload);
