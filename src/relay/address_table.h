/*
 * address_table: what each address may still do: upgrade attempts (a token
 * bucket), connections before their upgrade, and upgraded ones.
 *
 * One table serves all workers and is exact across them: every call takes
 * the lock of one stripe, for a few comparisons.  Accounts are as many as
 * were paid for at the start; nothing is allocated later.  An account
 * without connections whose bucket is full again says nothing, and is the
 * next to be reused; there is no sweep.  While every account says something,
 * an address that has none yet is refused.
 *
 * A bucket of `burst` tokens starts full and gains one for each complete
 * interval from the moment that it was last full: never more than burst
 * attempts at once, never more than burst + T / interval within T.
 */
#pragma once

#include "base/ip_address.h"
#include "base/siphash.h"

/* Defaults; 0 in a limit stands for no limit. */
enum {
    /* upgrade attempts at once, and ms for one more: a reconnect storm of a
     * household passes, a scan does not */
    ADDRESS_BURST = 20,
    ADDRESS_INTERVAL_MS = 6000,
    /* connections before their upgrade: heads come within 5 s, so more of
     * them are a flood, or a NAT of thousands */
    ADDRESS_PENDING_MAX = 64,
    /* accounts, 64 bytes each, touched when used; no fewer than twice the
     * connections that are admitted, so that those alone cannot fill it */
    ADDRESS_ACCOUNTS_MAX = 131072,
};

struct address_limits {
    uint32_t burst;           /* tokens; 0: attempts are not limited */
    uint32_t interval_ms;     /* for one token, 1 or more */
    uint32_t pending_max;     /* connections before their upgrade */
    uint32_t connections_max; /* upgraded connections */
    uint32_t accounts_max;    /* 1 or more; rounded up to whole stripes */
};

/* Whose account: an address, or a text that stands for one. */
struct address_key {
    uint64_t words[2];
    uint64_t kind; /* addresses and texts never share an account */
};

enum address_verdict {
    ADDRESS_ADMITTED,
    ADDRESS_RATE_LIMITED, /* no token left */
    ADDRESS_AT_CAP,       /* too many of its connections are open */
    ADDRESS_TABLE_FULL,   /* a new address, and no account to reuse */
};

/*
 * One connection's place in its account.  The connection owns it, zeroed at
 * first, and returns it by address_table_close().
 */
struct address_hold {
    struct address_account *account; /* NULL: none */
    bool is_upgraded;
};

struct address_stats {
    uint64_t accounts;    /* in use, those that may be reused included */
    uint64_t pending;     /* connections before their upgrade */
    uint64_t connections; /* upgraded */
    uint64_t refused;     /* because the table was full, since the start */
};

struct address_table;

/* NULL without memory.  The key is random, and strangers never see it. */
MUST_CHECK NONNULL struct address_table *address_table_new(
    const struct address_limits *limits, struct siphash_key key);

/* No hold is open, no other thread uses it.  NULL is legal. */
void address_table_free(struct address_table *table);

/* The account of an address: IPv4 whole, IPv6 by its /64. */
NONNULL struct address_key address_key_of_ip(const struct ip_address *ip);

/*
 * The account of a text taken literally (X-Forwarded-For without a list of
 * proxies): that of the address if it is one, else that of its hash under
 * the table's key, which nobody can aim at.
 */
NONNULL struct address_key address_table_key_of_text(
    const struct address_table *table, struct span text);

/*
 * One upgrade attempt at now_ms, monotonic.  A refused one costs nothing.
 * Where workers' clocks are apart, a bucket is off by as much and no more.
 */
MUST_CHECK NONNULL enum address_verdict address_table_take_token(
    struct address_table *table, const struct address_key *key,
    uint64_t now_ms);

/* A connection was accepted: count it as pending.  *hold was empty, and
 * stays so unless it is admitted. */
MUST_CHECK NONNULL enum address_verdict address_table_open(
    struct address_table *table, const struct address_key *key, uint64_t now_ms,
    struct address_hold *hold);

/* It was upgraded: no longer pending, but a connection.  Refused at the cap;
 * it then stays pending.  The hold is open and not upgraded. */
MUST_CHECK NONNULL enum address_verdict address_table_upgrade(
    struct address_table *table, struct address_hold *hold);

/* It ended, upgraded or not.  *hold is empty after it; an empty one is
 * legal. */
NONNULL void address_table_close(
    struct address_table *table, struct address_hold *hold);

/* Sums, one stripe after the other; refused is what a metric shows. */
NONNULL struct address_stats address_table_stats(struct address_table *table);
