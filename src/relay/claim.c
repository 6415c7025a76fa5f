#include "relay/claim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admission.h"
#include "relay/conn.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/session.h"

static void refuse(struct conn *c, struct span id)
{
    struct metrics *m = &c->shard->metrics;

    metrics_count(m, METRIC_SERVER_409);
    metrics_count(m, METRIC_SERVER_IN_USE);
    LOG(LOG_INFO, "server_id_conflict", LOG_FIELD(LOG_SERVER_ID, id),
        LOG_TEXT(LOG_REMOTE, c->remote));
    conn_close(c, 4409, "server-id already claimed");
}

/* cause: how the phones of the slot are counted. */
static void hold(struct conn *binary, const struct registry_evicted *evicted,
    enum metric cause)
{
    struct metrics *m = &binary->shard->metrics;

    binary->listed = true;
    metrics_count(m, METRIC_SERVER_ACCEPT);
    metrics_add(m, cause, evicted->count);
    for (size_t i = 0; i < evicted->count; i++)
        session_evicted(evicted->phones[i], 4404, "binary reclaimed server-id");
}

/* ---- challengers ---- */

static struct challenge *new_challenge(struct span version)
{
    struct challenge *challenge = malloc(sizeof(*challenge) + version.len);

    if (challenge == NULL)
        return NULL;
    challenge->next = NULL;
    challenge->version_len = version.len;
    memcpy(challenge->version, version.ptr, version.len);
    return challenge;
}

static struct span version_of(const struct challenge *challenge)
{
    return span_of(challenge->version, challenge->version_len);
}

static void enter_challenge(struct conn *c, struct span version)
{
    struct slot *slot = c->slot;
    struct conn **at = &slot->challengers;

    if (slot->challenger_count == LIMIT_CHALLENGERS) {
        refuse(c, registry_slot_id(slot));
        return;
    }
    c->challenge = new_challenge(version);
    if (c->challenge == NULL) {
        conn_drop(c);
        return;
    }
    while (*at != NULL)
        at = &(*at)->challenge->next;
    *at = c;
    slot->challenger_count++;
    conn_hold(c);
    if (c == slot->challengers) {
        registry_start_probe(slot, worker_now_ms(&c->shard->worker));
        conn_ping(slot->binary);
    }
}

void claim_forget(struct conn *c)
{
    free(c->challenge);
    c->challenge = NULL;
}

void claim_withdraw(struct conn *c)
{
    struct conn **at = NULL;

    if (c->challenge == NULL)
        return;
    at = &c->slot->challengers;
    while (*at != c)
        at = &(*at)->challenge->next;
    *at = c->challenge->next;
    c->slot->challenger_count--;
    if (c->slot->challengers == NULL)
        registry_stop_probe(c->slot);
    claim_forget(c);
}

void claim_abandoned(struct conn *c)
{
    if (c->slot->challengers == c && c->challenge->next == NULL)
        metrics_count(&c->shard->metrics, METRIC_PROBE_ABANDONED);
    conn_close(c, 1000, "");
}

static void refuse_challengers(struct slot *slot)
{
    while (slot->challengers != NULL) {
        struct conn *c = slot->challengers;

        claim_withdraw(c);
        refuse(c, registry_slot_id(slot));
    }
}

void claim_ponged(struct conn *c)
{
    if (!c->listed || c->role != CONN_BINARY || c->slot->challengers == NULL)
        return;
    metrics_count(&c->shard->metrics, METRIC_PROBE_ALIVE);
    refuse_challengers(c->slot);
}

/* Nobody holds the slot any more: the first challenger does, the others came
 * too late for it. */
static void hand_over(struct slot *slot, const struct registry_evicted *evicted)
{
    struct conn *c = slot->binary;
    char version[LIMIT_LOG_VALUE_BYTES];
    struct text kept = text_over(version, sizeof(version));

    text_add(&kept, version_of(c->challenge));
    claim_withdraw(c);
    refuse_challengers(slot);
    LOG(LOG_INFO, "server_id_takeover",
        LOG_FIELD(LOG_SERVER_ID, registry_slot_id(slot)),
        LOG_TEXT(LOG_REMOTE, c->remote));
    hold(c, evicted, METRIC_EVICTED_TAKEOVER);
    admission_claimed(c, span_of(kept.ptr, kept.len));
    conn_release(c);
}

void claim_vacated(struct slot *slot)
{
    struct registry_evicted evicted;

    if (slot->challengers == NULL)
        return;
    assert(slot->binary == NULL);
    metrics_count(&slot->challengers->shard->metrics, METRIC_PROBE_RELEASED);
    registry_install(slot, slot->challengers, &evicted);
    hand_over(slot, &evicted);
}

void claim_unanswered(struct slot *slot)
{
    struct conn *incumbent = slot->binary;
    struct registry_evicted evicted;

    assert(incumbent != NULL && slot->challengers != NULL);
    registry_install(slot, slot->challengers, &evicted);
    metrics_count(&incumbent->shard->metrics, METRIC_PROBE_DEAD);
    metrics_count(&incumbent->shard->metrics, METRIC_TAKEOVERS);
    session_displaced(incumbent);
    hand_over(slot, &evicted);
    conn_flush_dirty(incumbent->shard);
}

void claim_start(struct conn *binary, const struct gate_admission *who)
{
    struct registry *r = &binary->shard->registry;
    struct registry_evicted evicted;

    switch (
        registry_claim(r, who->server_id, binary, &binary->slot, &evicted)) {
    case REGISTRY_NO_MEMORY:
        conn_drop(binary);
        return;
    case REGISTRY_IN_USE:
        enter_challenge(binary, who->version);
        return;
    case REGISTRY_CLAIMED:
        break;
    }
    hold(binary, &evicted, METRIC_EVICTED_RECLAIM);
    admission_claimed(binary, who->version);
}
