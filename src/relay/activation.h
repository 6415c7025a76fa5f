/*
 * activation: the sockets of a service manager against the options.
 *
 * Each handed-over socket has the name of the option that it stands in for,
 * without its dashes (FileDescriptorName=https-listen), and listens where that
 * option says.  Whatever does not is a problem of the configuration, so that
 * the posture check refuses it with its fix; nothing is guessed.
 */
#pragma once

#include "net/inherited.h"
#include "relay/config.h"

/* Read what was handed over, and add a problem for each socket of which the
 * options know nothing. */
NONNULL void activation_read(struct config *config, struct inherited *ret);

/* The second half alone. */
NONNULL void activation_check(
    struct config *config, const struct inherited *in);
