#include "relay/shard_account.h"

#include <assert.h>

#include "relay/relay.h"

static struct budget *role_budget(const struct conn *c)
{
    struct relay *relay = c->shard->relay;

    return c->role == CONN_BINARY ? &relay->binaries : &relay->phones;
}

/* Each listener has an account of its own: who fills one keeps nobody out of
 * another. */
static struct budget *waiting_budget(
    const struct conn *c, enum conn_account account)
{
    struct relay *relay = c->shard->relay;

    if (account == CONN_HANDSHAKE)
        return &relay->handshakes;
    switch (c->surface) {
    case CONN_PUBLIC:
        break;
    case CONN_METRICS:
        return &relay->scrapes;
    case CONN_CHALLENGES:
        return &relay->validations;
    }
    return &relay->pending;
}

static struct conn_list *list_of(const struct conn *c)
{
    if (c->account == CONN_HANDSHAKE)
        return &c->shard->handshakes;
    return c->account == CONN_LIVE ? &c->shard->live : &c->shard->pending;
}

static void note_who_waits(struct shard *shard)
{
    atomic_store(&shard->has_pending, shard->pending.first != NULL);
    atomic_store(&shard->has_handshakes, shard->handshakes.first != NULL);
}

static void enlist(struct conn *c)
{
    conn_list_append(list_of(c), c);
    note_who_waits(c->shard);
}

void shard_delist(struct conn *c)
{
    conn_list_remove(list_of(c), c);
    note_who_waits(c->shard);
}

void shard_uncount(struct conn *c)
{
    struct relay *relay = c->shard->relay;

    address_table_close(relay->addresses, &c->hold);
    if (c->account == CONN_LIVE) {
        budget_give(role_budget(c), 1);
        budget_give(&relay->live, 1);
    } else if (c->account != CONN_UNCOUNTED) {
        budget_give(waiting_budget(c, c->account), 1);
    }
    if (c->account != CONN_UNCOUNTED)
        shard_delist(c);
    c->account = CONN_UNCOUNTED;
}

void shard_count_as(struct conn *c, enum conn_account as)
{
    c->account = as;
    enlist(c);
}

static bool take_live(struct conn *c, enum metric *ret_full)
{
    struct relay *relay = c->shard->relay;

    *ret_full = METRIC_BUDGET_CONNECTIONS;
    if (!budget_take(&relay->live))
        return false;
    if (budget_take(role_budget(c)))
        return true;
    budget_give(&relay->live, 1);
    *ret_full =
        c->role == CONN_BINARY ? METRIC_BUDGET_BINARIES : METRIC_BUDGET_PHONES;
    return false;
}

/* One more connection of that address. */
static bool take_address(
    struct conn *c, const struct address_key *key, struct address_hold *hold)
{
    struct address_table *table = c->shard->relay->addresses;
    uint64_t now_ms = worker_now_ms(&c->shard->worker);

    if (address_table_open(table, key, now_ms, hold) != ADDRESS_ADMITTED)
        return false;
    if (address_table_upgrade(table, hold) == ADDRESS_ADMITTED)
        return true;
    address_table_close(table, hold);
    return false;
}

bool shard_count_live(
    struct conn *c, const struct address_key *key, enum metric *ret_full)
{
    struct relay *relay = c->shard->relay;
    struct address_hold hold = {.account = NULL};

    if (!take_live(c, ret_full))
        return false;
    /* The account may be another than before: a proxy named the client. */
    address_table_close(relay->addresses, &c->hold);
    if (!take_address(c, key, &hold)) {
        budget_give(role_budget(c), 1);
        budget_give(&relay->live, 1);
        *ret_full = METRIC_BUDGET_ADDRESS;
        return false;
    }
    shard_uncount(c);
    c->hold = hold;
    shard_count_as(c, CONN_LIVE);
    return true;
}

static void drop_waiting(struct conn *c)
{
    metrics_count(&c->shard->metrics, c->account == CONN_HANDSHAKE
                                          ? METRIC_BUDGET_HANDSHAKES
                                          : METRIC_BUDGET_PRE_UPGRADE);
    conn_drop(c);
}

/* Another shard where somebody waits so; NULL: nowhere. */
static struct shard *find_waiting_elsewhere(
    const struct shard *here, enum conn_account account)
{
    struct relay *relay = here->relay;

    for (size_t i = 0; i < relay->shard_count; i++) {
        struct shard *shard = &relay->shards[i];

        if (shard != here &&
            atomic_load(account == CONN_HANDSHAKE ? &shard->has_handshakes
                                                  : &shard->has_pending))
            return shard;
    }
    return NULL;
}

/* Too many wait: the one that has waited longest here makes room, so that
 * peers who are quick always get in.  Never c itself: where nobody else waits,
 * another shard makes room, and until then there is one too many. */
static void make_room(struct conn *c)
{
    struct conn *oldest = list_of(c)->first;
    struct shard *other = NULL;

    /* The control shard has two surfaces, whose budgets differ. */
    while (oldest != NULL && (oldest == c || oldest->surface != c->surface))
        oldest = oldest->next;
    if (oldest != NULL) {
        drop_waiting(oldest);
        return;
    }
    other = find_waiting_elsewhere(c->shard, c->account);
    if (other != NULL)
        shard_post(other, &other->room);
}

static void count_waiting(struct conn *c, enum conn_account as)
{
    shard_uncount(c);
    (void)budget_add(waiting_budget(c, as), 1);
    shard_count_as(c, as);
    /* In a drain everybody is told, however many they are. */
    if (budget_is_passed(waiting_budget(c, as)) && !c->shard->draining &&
        !c->shard->yielding)
        make_room(c);
}

void shard_count_pending(struct conn *c)
{
    if (c->account != CONN_PENDING)
        count_waiting(c, CONN_PENDING);
}

void shard_count_new(struct conn *c, enum conn_account as)
{
    struct address_hold hold = c->hold;

    c->hold = (struct address_hold){.account = NULL}; /* kept by this */
    count_waiting(c, as);
    if (c->state == CONN_DEAD) {
        address_table_close(c->shard->relay->addresses, &hold);
    } else {
        c->hold = hold;
    }
}

void shard_handshake_done(struct conn *c)
{
    assert(c->account == CONN_HANDSHAKE);
    shard_count_new(c, CONN_PENDING);
}

static void make_room_of(
    const struct conn_list *list, const struct budget *budget)
{
    if (budget_is_passed(budget) && list->first != NULL)
        drop_waiting(list->first);
}

void shard_make_room(struct shard *shard)
{
    make_room_of(&shard->pending, &shard->relay->pending);
    make_room_of(&shard->handshakes, &shard->relay->handshakes);
}
