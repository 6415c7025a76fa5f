/*
 * tls_ticket: the keys of session tickets (RFC 5077, RFC 8446 section 4.6.1).
 *
 * Every worker holds its own copy and no worker asks another: the keys of a
 * period follow from a seed that all started with, and the seed of the next
 * period from this one by a one-way function.  Whoever steals the keys of
 * today cannot open tickets of yesterday.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    TLS_TICKET_PERIOD_MS = 8 * 3600 * 1000, /* a key seals for so long, and
                                               opens for as long again */
    TLS_TICKET_SEED_LEN = 32,
    TLS_TICKET_NAME_LEN = 16, /* what OpenSSL wants */
    TLS_TICKET_CIPHER_LEN = 32,
    TLS_TICKET_MAC_LEN = 32,
};

struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME_LEN];
    uint8_t cipher[TLS_TICKET_CIPHER_LEN]; /* AES-256-CBC */
    uint8_t mac[TLS_TICKET_MAC_LEN];       /* HMAC-SHA256 */
};

struct tls_ticket_keys {
    uint64_t started_ms; /* the first period begins there; monotonic */
    uint64_t period;     /* that current is of */
    uint8_t next_seed[TLS_TICKET_SEED_LEN];
    struct tls_ticket_key current;
    struct tls_ticket_key previous; /* like current in the first period */
};

/* The keys of the first period.  False: no memory. */
MUST_CHECK NONNULL bool tls_ticket_init(struct tls_ticket_keys *keys,
    const uint8_t seed[TLS_TICKET_SEED_LEN], uint64_t started_ms);

/* The keys of that time; a time before that of the keys leaves them alone.
 * False: no memory; they are as before. */
MUST_CHECK NONNULL bool tls_ticket_advance(
    struct tls_ticket_keys *keys, uint64_t now_ms);

/* The key of that name, or NULL. */
NONNULL const struct tls_ticket_key *tls_ticket_find(
    const struct tls_ticket_keys *keys,
    const uint8_t name[TLS_TICKET_NAME_LEN]);

/* Overwrite them. */
NONNULL void tls_ticket_wipe(struct tls_ticket_keys *keys);
