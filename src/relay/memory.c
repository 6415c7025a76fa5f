#include "relay/memory.h"

#include <assert.h>

#include "relay/log.h"
#include "relay/relay.h"
#include "relay/session.h"

static size_t kept_by(const struct conn *c)
{
    size_t reading =
        c->partial_want > c->partial_have ? c->partial_want : c->partial_have;

    /* The items that are queued are room, too. */
    return outbox_pending(&c->out).len + stream_kept(&c->stream) +
           outbox_own_items(&c->out) + reading + c->fragments_cap +
           c->backlog_len;
}

/* The largest consumer of the shard; NULL: nobody keeps anything. */
static struct conn *find_worst(const struct shard *shard)
{
    const struct conn_list *lists[] = {
        &shard->live, &shard->pending, &shard->handshakes};
    struct conn *worst = NULL;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (struct conn *c = lists[i]->first; c != NULL; c = c->next) {
            if (c->memory > (worst == NULL ? 0 : worst->memory))
                worst = c;
        }
    }
    return worst;
}

/* Who can still be told is told; what it keeps is gone in any case. */
static void expel(struct conn *c)
{
    bool is_open = c->state == CONN_OPEN;

    LOG(LOG_WARN, "memory_budget_full", LOG_TEXT(LOG_REMOTE, c->remote),
        LOG_INT(LOG_BYTES, (int64_t)c->memory),
        LOG_TEXT(LOG_ERR, "the largest consumer is closed"));
    metrics_count(&c->shard->metrics, METRIC_OVERFLOW_PROCESS);
    session_ended(c, SESSION_FAULT, "relay: memory budget full");
    conn_close(c, SESSION_FAULT, "backlog full");
    if (!is_open || c->state != CONN_CLOSING ||
        outbox_own_room(&c->out) > LIMIT_CLOSING_BYTES || c->partial != NULL)
        conn_drop(c);
}

static void take_note(struct conn *c, size_t kept)
{
    static const enum metric queued[] = {
        [CONN_STRANGER] = METRIC_QUEUED_OTHER,
        [CONN_BINARY] = METRIC_QUEUED_BINARY,
        [CONN_PHONE] = METRIC_QUEUED_PHONE,
    };
    struct shard *shard = c->shard;
    struct budget *budget = &shard->relay->memory;

    if (kept < c->memory) {
        budget_give(budget, c->memory - kept);
    } else {
        (void)budget_add(budget, kept - c->memory);
    }
    /* A gauge: what it falls by is added as its complement. */
    metrics_add(
        &shard->metrics, queued[c->memory_leg], (uint64_t)0 - c->memory);
    c->memory_leg = c->role;
    metrics_add(&shard->metrics, queued[c->memory_leg], kept);
    c->memory = kept;
    if (kept > atomic_load_explicit(&shard->worst, memory_order_relaxed))
        atomic_store_explicit(&shard->worst, kept, memory_order_relaxed);
}

/* As it is now; what it was may be long ago. */
static struct conn *publish_worst(struct shard *shard)
{
    struct conn *worst = find_worst(shard);

    atomic_store_explicit(
        &shard->worst, worst == NULL ? 0 : worst->memory, memory_order_relaxed);
    return worst;
}

/* The shard whose largest consumer is the largest of all, as far as known. */
static struct shard *find_worst_shard(struct relay *relay)
{
    struct shard *worst = &relay->shards[0];
    size_t most = 0;

    for (size_t i = 0; i < relay->shard_count; i++) {
        size_t kept =
            atomic_load_explicit(&relay->shards[i].worst, memory_order_relaxed);

        if (kept <= most)
            continue;
        most = kept;
        worst = &relay->shards[i];
    }
    return worst;
}

/* The largest consumer is elsewhere: its shard gets the letter. */
static bool pass_on(const struct shard *shard)
{
    struct shard *whose = find_worst_shard(shard->relay);

    if (whose == shard)
        return false;
    shard_post(whose, &whose->shed);
    return true;
}

void memory_shed(struct shard *shard)
{
    struct relay *relay = shard->relay;

    while (budget_is_passed(&relay->memory)) {
        struct conn *worst = NULL;

        /* As far as is known, which costs no look at every connection; and
         * then as it is. */
        if (pass_on(shard))
            return;
        worst = publish_worst(shard);
        if (pass_on(shard))
            return;
        if (worst == NULL)
            return;
        expel(worst);
        if (worst->state != CONN_DEAD)
            take_note(worst, kept_by(worst));
    }
    (void)publish_worst(shard);
}

void memory_account(struct conn *c)
{
    struct shard *shard = c->shard;
    size_t kept = 0;

    if (c->state == CONN_DEAD || c->moves_to != NULL)
        return;
    kept = kept_by(c);
    if (kept == c->memory)
        return;
    take_note(c, kept);
    if (!budget_is_passed(&shard->relay->memory))
        return;
    memory_shed(shard);
}

void memory_forget(struct conn *c)
{
    take_note(c, 0);
}
