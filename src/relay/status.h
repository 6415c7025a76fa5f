/* status: what the relay says of itself over HTTP. */
#pragma once

#include "relay/conn.h"

NONNULL void status_healthz(struct conn *c, bool head_only);
NONNULL void status_metrics(struct conn *c);
