#include "relay/yield.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "relay/agent_link.h"
#include "relay/limits.h"
#include "relay/relay.h"
#include "relay/session.h"

enum {
    /* Reads of one member before its close: a plain socket is empty after two,
     * and TLS hands out a record at a time. */
    READS_MAX = 64,
};

/* ---- one shard ---- */

static struct shard *shard_of_timer(struct timer *t)
{
    return (struct shard *)(void *)((char *)t -
                                    offsetof(struct shard, yield_timer));
}

/* The next one that is not on its way out already. */
static struct conn *next_open(const struct shard *shard)
{
    struct conn *c = shard->live.first;

    while (c != NULL && (c->state != CONN_OPEN || c->leave_code != 0))
        c = c->next;
    return c;
}

/* Take what has arrived from it, as far as it may be read now. */
static void read_rest(struct conn *c)
{
    const _Atomic uint64_t *received =
        &c->shard->metrics
             .values[c->role == CONN_BINARY ? METRIC_RECEIVED_BINARY
                                            : METRIC_RECEIVED_PHONE];
    uint64_t before = *received - 1;

    for (int i = 0; i < READS_MAX && *received != before; i++) {
        before = *received;
        if (c->state == CONN_OPEN &&
            (stream_wanted(&c->stream) & STREAM_READ) != 0)
            c->stream.ready(&c->stream, STREAM_READ);
    }
}

/* The connections of one server-id. */
struct group {
    struct conn *members[LIMIT_PHONES_MAX + 1];
    size_t count;
};

static void find_group(struct conn *c, struct group *ret)
{
    if (!c->listed) {
        ret->members[0] = c;
        ret->count = 1;
        return;
    }
    ret->count = c->slot->phone_count;
    memcpy(ret->members, c->slot->phones, ret->count * sizeof(struct conn *));
    if (c->slot->binary != NULL)
        ret->members[ret->count++] = c->slot->binary;
}

/* Those that die meanwhile are freed after this round only. */
static void close_group(const struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        read_rest(g->members[i]);
    for (size_t i = 0; i < g->count; i++) {
        if (g->members[i]->state == CONN_OPEN)
            session_part(g->members[i]);
    }
}

/* The share of those that are open whose turn it is: of what is left of the
 * time, as much as has gone by since the last of them went. */
static size_t share(const struct shard *shard, uint64_t now_ms)
{
    uint64_t open = shard->registry.binary_count + shard->registry.phone_count;
    uint64_t gone = now_ms - shard->yield_last_ms;
    uint64_t left =
        shard->yield_by_ms > now_ms ? shard->yield_by_ms - now_ms : 0;

    if (left == 0)
        return SIZE_MAX;
    return (size_t)(open * gone / (gone + left));
}

static void on_turn(struct timer *t, uint64_t now_ms)
{
    struct shard *shard = shard_of_timer(t);
    size_t quota = share(shard, now_ms);
    size_t done = 0;

    if (shard->draining)
        return;
    for (struct conn *c = next_open(shard); c != NULL; c = next_open(shard)) {
        struct group g;

        find_group(c, &g);
        if (g.count > quota - done)
            break;
        close_group(&g);
        done += g.count;
    }
    conn_flush_dirty(shard);
    if (done > 0)
        shard->yield_last_ms = now_ms;
    timer_set(
        &shard->worker.timers, &shard->yield_timer, now_ms + TIMER_TICK_MS);
}

void yield_shard(struct shard *shard)
{
    uint64_t now_ms = worker_now_ms(&shard->worker);

    shard->yielding = true;
    (void)atomic_fetch_add(&shard->relay->shards_yielded, 1);
    shard->yield_last_ms = now_ms;
    shard->yield_by_ms = now_ms + 1000 * config_count(shard->relay->config,
                                             CONFIG_DRAIN_SECONDS);
    shard->yield_timer.fn = on_turn;
    timer_set(
        &shard->worker.timers, &shard->yield_timer, now_ms + TIMER_TICK_MS);
}

/* ---- all of them ---- */

static void on_time_over(struct timer *t, uint64_t now_ms)
{
    (void)now_ms;
    relay_drain((struct relay *)(void *)((char *)t -
                                         offsetof(struct relay, drain_timer)));
}

void yield_all(struct relay *relay)
{
    struct worker *w = &relay->control.worker;
    uint64_t spread_ms =
        1000 * config_count(relay->config, CONFIG_DRAIN_SECONDS);

    assert(!atomic_load(&relay->yielded));
    atomic_store(&relay->yielded, true);
    metrics_count(&relay->control.metrics, METRIC_DRAINS);
    shard_stop_listening(&relay->control);
    agent_link_close(relay); /* its successor waits for that */
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_post(&relay->shards[i], &relay->shards[i].yield);
    /* The last to be closed have their time to answer, too. */
    relay->drain_timer.fn = on_time_over;
    timer_set(&w->timers, &relay->drain_timer,
        worker_now_ms(w) + spread_ms + LIMIT_CLOSE_MS + LIMIT_LINGER_MS);
}

void yield_look(struct relay *relay)
{
    size_t open = budget_taken(&relay->live) + budget_taken(&relay->pending) +
                  budget_taken(&relay->handshakes);

    /* One that was accepted last may be on its way to its shard, and is not
     * counted there: hence the second look. */
    if (atomic_load(&relay->shards_yielded) < relay->shard_count || open > 0) {
        relay->quiet_looks = 0;
    } else if (++relay->quiet_looks == 2) {
        relay_drain(relay);
    }
}
