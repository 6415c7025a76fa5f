#include "relay/address_table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

enum {
    STRIPES = 64,
    /* below so many accounts one stripe does: it fills evenly by itself */
    STRIPED_FROM = 4096,
    CACHE_LINE = 64,
};

#define NONE UINT32_MAX /* no account, no place */

enum { KIND_IP, KIND_TEXT };

/* Order of fields: 64 bytes in all. */
struct address_account {
    struct address_key key;
    uint64_t full_at_ms; /* when its bucket is, or was, full again */
    uint64_t hash;
    uint32_t pending;
    uint32_t connections;
    uint32_t next;  /* of its bucket in the hash table */
    uint32_t place; /* in the queue; NONE while connections hold it */
};

/*
 * Accounts stand in an array that only grows, the hash table points into it.
 * The queue is a binary heap of those without connections, by full_at_ms, so
 * that the one to reuse is found at once.  A list by last use would not do:
 * one address that has emptied its bucket would stand before thousands that
 * have long filled theirs.
 */
struct stripe {
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
    struct address_account *accounts;
    uint32_t *buckets; /* first account, NONE for none */
    uint32_t *queue;
    uint32_t used; /* accounts */
    uint32_t queued;
    uint64_t pending;
    uint64_t connections;
    uint64_t refused;
};

struct address_table {
    struct address_limits limits;
    struct siphash_key key;
    uint32_t stripe_count; /* a power of two */
    uint32_t cap;          /* accounts of a stripe */
    uint32_t bucket_count; /* of a stripe, a power of two */
    struct stripe *stripes;
    /* What the stripes share out among them: large blocks, whose pages cost
     * nothing before they are used. */
    struct address_account *accounts;
    uint32_t *queues;
    uint32_t *buckets;
};

/* ---- keys ---- */

struct address_key address_key_of_ip(const struct ip_address *ip)
{
    struct ip_address whose = ip_address_key(ip);
    struct address_key key = {.kind = KIND_IP};

    _Static_assert(sizeof(key.words) == IP_ADDRESS_LEN, "an address fits");
    memcpy(key.words, whose.bytes, sizeof(key.words));
    return key;
}

struct address_key address_table_key_of_text(
    const struct address_table *table, struct span text)
{
    struct address_key key = {.kind = KIND_TEXT};
    struct siphash_key other = {.k0 = table->key.k1, .k1 = ~table->key.k0};
    struct ip_address ip;

    if (ip_address_parse(text, &ip))
        return address_key_of_ip(&ip);
    key.words[0] = siphash(table->key, text);
    key.words[1] = siphash(other, text);
    return key;
}

static bool keys_equal(const struct address_key *a, const struct address_key *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1] &&
           a->kind == b->kind;
}

static uint64_t hash_of(
    const struct address_table *table, const struct address_key *key)
{
    return siphash(table->key, span_of(key, sizeof(*key)));
}

static struct stripe *stripe_of(
    const struct address_table *table, uint64_t hash)
{
    return &table->stripes[(hash >> 32) & (table->stripe_count - 1)];
}

/* ---- the queue: a binary heap by full_at_ms ---- */

static uint64_t full_at(const struct stripe *s, uint32_t place)
{
    return s->accounts[s->queue[place]].full_at_ms;
}

static void put(struct stripe *s, uint32_t place, uint32_t account)
{
    s->queue[place] = account;
    s->accounts[account].place = place;
}

static void swap(struct stripe *s, uint32_t a, uint32_t b)
{
    uint32_t account = s->queue[a];

    put(s, a, s->queue[b]);
    put(s, b, account);
}

static void sift_up(struct stripe *s, uint32_t place)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;

        if (full_at(s, parent) <= full_at(s, place))
            return;
        swap(s, place, parent);
        place = parent;
    }
}

static void sift_down(struct stripe *s, uint32_t place)
{
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= s->queued)
            return;
        if (child + 1 < s->queued && full_at(s, child + 1) < full_at(s, child))
            child++;
        if (full_at(s, place) <= full_at(s, child))
            return;
        swap(s, place, child);
        place = child;
    }
}

static uint32_t index_of(
    const struct stripe *s, const struct address_account *account)
{
    return (uint32_t)(account - s->accounts);
}

static void enqueue(struct stripe *s, struct address_account *account)
{
    assert(account->place == NONE);
    put(s, s->queued++, index_of(s, account));
    sift_up(s, account->place);
}

static void dequeue(struct stripe *s, struct address_account *account)
{
    uint32_t place = account->place;
    uint32_t last = --s->queued;

    assert(place <= last);
    if (place != last) {
        put(s, place, s->queue[last]);
        sift_up(s, place);
        sift_down(s, place);
    }
    account->place = NONE;
}

/* ---- accounts ---- */

static uint32_t *bucket_of(
    const struct address_table *table, const struct stripe *s, uint64_t hash)
{
    return &s->buckets[hash & (table->bucket_count - 1)];
}

static struct address_account *find(const struct address_table *table,
    const struct stripe *s, uint64_t hash, const struct address_key *key)
{
    uint32_t at = *bucket_of(table, s, hash);

    while (at != NONE) {
        struct address_account *account = &s->accounts[at];

        if (account->hash == hash && keys_equal(&account->key, key))
            return account;
        at = account->next;
    }
    return NULL;
}

static void unlink_account(const struct address_table *table,
    const struct stripe *s, const struct address_account *account)
{
    uint32_t *link = bucket_of(table, s, account->hash);

    while (*link != index_of(s, account))
        link = &s->accounts[*link].next;
    *link = account->next;
}

/* An account that nothing is known of, in no list; NULL if there is none. */
static struct address_account *vacant(
    const struct address_table *table, struct stripe *s, uint64_t now_ms)
{
    struct address_account *account = NULL;

    if (s->queued > 0 && full_at(s, 0) <= now_ms) {
        account = &s->accounts[s->queue[0]];
        dequeue(s, account);
        unlink_account(table, s, account);
        return account;
    }
    return s->used < table->cap ? &s->accounts[s->used++] : NULL;
}

/* The account of the key, made if there is none; NULL if none can be. */
static struct address_account *account_of(const struct address_table *table,
    struct stripe *s, uint64_t hash, const struct address_key *key,
    uint64_t now_ms)
{
    struct address_account *account = find(table, s, hash, key);
    uint32_t *bucket = bucket_of(table, s, hash);

    if (account != NULL)
        return account;
    account = vacant(table, s, now_ms);
    if (account == NULL) {
        s->refused++;
        return NULL;
    }
    *account = (struct address_account){
        .key = *key,
        .full_at_ms = now_ms,
        .hash = hash,
        .next = *bucket,
        .place = NONE,
    };
    *bucket = index_of(s, account);
    enqueue(s, account);
    return account;
}

/* ---- what may be done ---- */

/* The tokens that a bucket lacks are in the time until it is full. */
static bool take_token(const struct address_limits *limits,
    struct address_account *account, uint64_t now_ms)
{
    uint64_t full_at_ms =
        account->full_at_ms > now_ms ? account->full_at_ms : now_ms;
    uint64_t lacking_max = (uint64_t)(limits->burst - 1) * limits->interval_ms;

    if (full_at_ms - now_ms > lacking_max)
        return false;
    account->full_at_ms = full_at_ms + limits->interval_ms;
    return true;
}

enum address_verdict address_table_take_token(
    struct address_table *table, const struct address_key *key, uint64_t now_ms)
{
    uint64_t hash = hash_of(table, key);
    struct stripe *s = stripe_of(table, hash);
    struct address_account *account = NULL;
    enum address_verdict verdict = ADDRESS_ADMITTED;

    if (table->limits.burst == 0)
        return ADDRESS_ADMITTED;
    (void)pthread_mutex_lock(&s->lock);
    account = account_of(table, s, hash, key, now_ms);
    if (account == NULL) {
        verdict = ADDRESS_TABLE_FULL;
    } else if (!take_token(&table->limits, account, now_ms)) {
        verdict = ADDRESS_RATE_LIMITED;
    } else if (account->place != NONE) {
        sift_down(s, account->place);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return verdict;
}

static bool is_at(uint32_t count, uint32_t max)
{
    return max == 0 ? count == UINT32_MAX : count >= max;
}

enum address_verdict address_table_open(struct address_table *table,
    const struct address_key *key, uint64_t now_ms, struct address_hold *hold)
{
    uint64_t hash = hash_of(table, key);
    struct stripe *s = stripe_of(table, hash);
    struct address_account *account = NULL;
    enum address_verdict verdict = ADDRESS_ADMITTED;

    assert(hold->account == NULL);
    (void)pthread_mutex_lock(&s->lock);
    account = account_of(table, s, hash, key, now_ms);
    if (account == NULL) {
        verdict = ADDRESS_TABLE_FULL;
    } else if (is_at(account->pending, table->limits.pending_max)) {
        verdict = ADDRESS_AT_CAP;
    } else {
        if (account->place != NONE)
            dequeue(s, account);
        account->pending++;
        s->pending++;
        *hold = (struct address_hold){.account = account};
    }
    (void)pthread_mutex_unlock(&s->lock);
    return verdict;
}

enum address_verdict address_table_upgrade(
    struct address_table *table, struct address_hold *hold)
{
    struct address_account *account = hold->account;
    struct stripe *s = NULL;
    enum address_verdict verdict = ADDRESS_AT_CAP;

    assert(account != NULL);
    assert(!hold->is_upgraded);
    /* Nobody changes the hash while the account is held. */
    s = stripe_of(table, account->hash);
    (void)pthread_mutex_lock(&s->lock);
    if (!is_at(account->connections, table->limits.connections_max)) {
        account->pending--;
        s->pending--;
        account->connections++;
        s->connections++;
        hold->is_upgraded = true;
        verdict = ADDRESS_ADMITTED;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return verdict;
}

void address_table_close(struct address_table *table, struct address_hold *hold)
{
    struct address_account *account = hold->account;
    struct stripe *s = NULL;

    if (account == NULL)
        return;
    s = stripe_of(table, account->hash);
    (void)pthread_mutex_lock(&s->lock);
    if (hold->is_upgraded) {
        account->connections--;
        s->connections--;
    } else {
        account->pending--;
        s->pending--;
    }
    if (account->pending == 0 && account->connections == 0)
        enqueue(s, account);
    (void)pthread_mutex_unlock(&s->lock);
    *hold = (struct address_hold){.account = NULL};
}

struct address_stats address_table_stats(struct address_table *table)
{
    struct address_stats stats = {.accounts = 0};

    for (uint32_t i = 0; i < table->stripe_count; i++) {
        struct stripe *s = &table->stripes[i];

        (void)pthread_mutex_lock(&s->lock);
        stats.accounts += s->used;
        stats.pending += s->pending;
        stats.connections += s->connections;
        stats.refused += s->refused;
        (void)pthread_mutex_unlock(&s->lock);
    }
    return stats;
}

/* ---- the table ---- */

/* Give stripe i its part of the blocks; false if it gets no lock. */
static bool stripe_init(struct address_table *table, uint32_t i)
{
    struct stripe *s = &table->stripes[i];
    size_t first = (size_t)i * table->cap;

    *s = (struct stripe){
        .accounts = table->accounts + first,
        .queue = table->queues + first,
        .buckets = table->buckets + (size_t)i * table->bucket_count,
    };
    for (uint32_t k = 0; k < table->bucket_count; k++)
        s->buckets[k] = NONE;
    return pthread_mutex_init(&s->lock, NULL) == 0;
}

static uint32_t power_of_two_from(uint32_t min)
{
    uint32_t power = 1;

    while (power < min)
        power *= 2;
    return power;
}

static bool allocate(struct address_table *table, size_t stripes)
{
    table->stripes = aligned_alloc(CACHE_LINE, stripes * sizeof(struct stripe));
    table->accounts = calloc(stripes * table->cap, sizeof(*table->accounts));
    table->queues = calloc(stripes * table->cap, sizeof(*table->queues));
    table->buckets =
        calloc(stripes * table->bucket_count, sizeof(*table->buckets));
    return table->stripes != NULL && table->accounts != NULL &&
           table->queues != NULL && table->buckets != NULL;
}

struct address_table *address_table_new(
    const struct address_limits *limits, struct siphash_key key)
{
    struct address_table *table = calloc(1, sizeof(*table));
    uint32_t stripes = limits->accounts_max < STRIPED_FROM ? 1 : STRIPES;

    assert(limits->interval_ms > 0);
    assert(limits->accounts_max > 0);
    assert(limits->accounts_max <= UINT32_MAX / 2);
    if (table == NULL)
        return NULL;
    table->limits = *limits;
    table->key = key;
    table->cap = (limits->accounts_max + stripes - 1) / stripes;
    table->bucket_count = power_of_two_from(table->cap);
    if (!allocate(table, stripes))
        goto fail;
    for (; table->stripe_count < stripes; table->stripe_count++) {
        if (!stripe_init(table, table->stripe_count))
            goto fail;
    }
    return table;
fail:
    address_table_free(table);
    return NULL;
}

void address_table_free(struct address_table *table)
{
    if (table == NULL)
        return;
    for (uint32_t i = 0; table->stripes != NULL && i < table->stripe_count; i++)
        (void)pthread_mutex_destroy(&table->stripes[i].lock);
    free(table->stripes);
    free(table->accounts);
    free(table->queues);
    free(table->buckets);
    free(table);
}
