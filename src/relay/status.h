/*
 * status: what the relay says of itself over HTTP.  Each answers a request
 * whose head is complete; those that take the head are for people and answer
 * only who asks for this machine by a loopback name.
 */
#pragma once

#include "relay/conn.h"
#include "wire/http_head.h"

struct relay;

NONNULL void status_healthz(struct conn *c, bool head_only);
NONNULL void status_readyz(struct conn *c, bool head_only);
NONNULL void status_metrics(struct conn *c);
NONNULL void status_page(struct conn *c, const struct http_head *head);
NONNULL void status_json(struct conn *c, const struct http_head *head);

/* On the control shard, once a second: a sample for the page, if one is due. */
NONNULL void status_take_sample(struct relay *relay);
