#include "relay/shard.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/permute.h"
#include "relay/certificates.h"
#include "relay/claim.h"
#include "relay/frames.h"
#include "relay/handshake.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/memory.h"
#include "relay/relay.h"
#include "relay/session.h"
#include "relay/shard_account.h"
#include "relay/yield.h"

static void observe_age(struct shard *shard, const struct conn *c)
{
    uint64_t age_ms = worker_now_ms(&shard->worker) - c->opened_ms;

    if (c->opened_ms == 0)
        return;
    metrics_observe(&shard->metrics,
        c->role == CONN_BINARY ? HISTOGRAM_AGE_BINARY : HISTOGRAM_AGE_PHONE,
        age_ms);
}

void shard_conn_gone(struct shard *shard, struct conn *c)
{
    shard_uncount(c);
    observe_age(shard, c);
    assert(shard->conn_count > 0);
    shard->conn_count--;
    if (shard->draining && shard->conn_count == 0)
        shard_post(&shard->relay->control, &shard->drained);
}

/* ---- a connection comes and goes ---- */

/* It is on this shard from now on. */
static bool settle(struct shard *shard, struct conn *c)
{
    if (shard->draining || !conn_join(c, shard))
        return false;
    shard->conn_count++;
    return true;
}

/* Does whoever is behind it show in a header only? */
static bool is_proxy(const struct relay *relay, const struct ip_address *peer)
{
    return relay->config->on[CONFIG_TRUST_X_FORWARDED_FOR] ||
           cidr_any_contains(
               relay->config->proxies, relay->config->proxy_count, peer);
}

/* One more before its upgrade, of that address.  False: it has too many. */
static bool charge(struct shard *shard, struct conn *c)
{
    struct address_key key = address_key_of_ip(&c->peer);
    enum address_verdict verdict = address_table_open(
        shard->relay->addresses, &key, worker_now_ms(&shard->worker), &c->hold);

    if (verdict == ADDRESS_ADMITTED)
        return true;
    metrics_count(&shard->metrics, verdict == ADDRESS_TABLE_FULL
                                       ? METRIC_BUDGET_ADDRESS_TABLE
                                       : METRIC_BUDGET_ADDRESS);
    return false;
}

/* The peer's address counts, unless that is a proxy's. */
static bool take_pending_address(struct shard *shard, struct conn *c)
{
    return c->surface == CONN_METRICS || c->state == CONN_PROXY ||
           is_proxy(shard->relay, &c->peer) || charge(shard, c);
}

bool shard_charge_address(struct conn *c)
{
    assert(c->hold.account == NULL);
    return is_proxy(c->shard->relay, &c->peer) || charge(c->shard, c);
}

/* A proxy's header counts from the proxies that are trusted, if any are
 * named. */
static bool may_begin(struct shard *shard, const struct conn *c)
{
    const struct config *config = shard->relay->config;

    if (c->state != CONN_PROXY || config->proxy_count == 0 ||
        cidr_any_contains(config->proxies, config->proxy_count, &c->peer))
        return true;
    metrics_count(&shard->metrics, METRIC_PROXY_UNTRUSTED);
    return false;
}

static void take_new(struct shard *shard, struct conn *c)
{
    if (!may_begin(shard, c) || !take_pending_address(shard, c)) {
        conn_free(c);
        return;
    }
    if (!settle(shard, c)) {
        address_table_close(shard->relay->addresses, &c->hold);
        conn_free(c);
        return;
    }
    shard_count_new(c, c->state == CONN_HEAD ? CONN_PENDING : CONN_HANDSHAKE);
}

/* It was under way, and there is nowhere to go. */
static void abandon(struct conn *c)
{
    shard_count_as(c, c->account);
    shard_uncount(c);
    conn_free(c);
}

static void on_letter(void *owner, struct mail *mail)
{
    struct shard *shard = owner;
    struct conn *c =
        (struct conn *)(void *)((char *)mail - offsetof(struct conn, letter));

    if (c->account == CONN_UNCOUNTED) {
        take_new(shard, c);
        return;
    }
    c->shard = shard;
    c->moves_to = NULL;
    if (!settle(shard, c)) {
        abandon(c);
        return;
    }
    shard_count_as(c, c->account);
    frames_resume_head(c);
    memory_account(c);
    conn_flush_dirty(shard);
}

static struct conn *conn_of_stream(struct stream *s)
{
    return (struct conn *)(void *)((char *)s - offsetof(struct conn, stream));
}

static void on_detached(struct stream *s)
{
    struct conn *c = conn_of_stream(s);

    if (c->shard->relay->stopped) {
        abandon(c);
        return;
    }
    c->letter.fn = on_letter;
    mailbox_post(&c->moves_to->mailbox, &c->letter);
}

void shard_hand_over(struct conn *c, struct shard *to)
{
    c->stream.detached = on_detached;
    if (!conn_leave(c)) {
        conn_drop(c);
        return;
    }
    shard_delist(c); /* still counted: it moves on */
    c->shard->conn_count--;
    c->moves_to = to;
}

struct shard *shard_of(struct relay *relay, struct span server_id)
{
    /* The registry's buckets are of the lower half. */
    uint64_t hash = siphash(relay->server_key, server_id) >> 32;

    return &relay->shards[hash % relay->shard_count];
}

uint32_t shard_draw_number(struct shard *shard)
{
    uint32_t number = 0;

    while (number == 0)
        number = permute_u32(shard->relay->number_key, ++shard->serial);
    return number;
}

static enum conn_state first_state(
    const struct relay *relay, enum conn_surface surface)
{
    if (surface != CONN_PUBLIC || relay->domain == NULL)
        return CONN_HEAD;
    return relay->config->on[CONFIG_HTTPS_PROXY_PROTOCOL] ? CONN_PROXY
                                                          : CONN_TLS;
}

static void accept_on(struct shard *shard, enum conn_surface surface, int fd,
    const struct sockaddr_storage *peer)
{
    static const enum metric accepted[] = {
        [CONN_PUBLIC] = METRIC_ACCEPTED_PUBLIC,
        [CONN_METRICS] = METRIC_ACCEPTED_METRICS,
        [CONN_CHALLENGES] = METRIC_ACCEPTED_CHALLENGES,
    };
    struct relay *relay = shard->relay;
    struct conn *c = conn_new(fd, peer, surface, first_state(relay, surface));

    metrics_count(&shard->metrics, accepted[surface]);
    if (c == NULL) {
        metrics_count(&shard->metrics, METRIC_MEMORY_REFUSALS);
        (void)close(fd);
        return;
    }
    if (!shard->deals) {
        take_new(shard, c);
        return;
    }

    struct shard *to = &relay->shards[shard->next_dealt++ % relay->shard_count];

    c->letter.fn = on_letter;
    mailbox_post(&to->mailbox, &c->letter);
}

void shard_accept(
    struct shard *shard, int fd, const struct sockaddr_storage *peer)
{
    bool is_control = shard == &shard->relay->control;

    accept_on(shard, is_control ? CONN_METRICS : CONN_PUBLIC, fd, peer);
}

static void on_accept(
    struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    shard_accept(l->owner, fd, peer);
}

static void on_accept_challenge(
    struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    accept_on(l->owner, CONN_CHALLENGES, fd, peer);
}

/* Once a second is often enough to know it. */
static void log_exhausted(struct shard *shard, int error)
{
    uint64_t now_ms = worker_now_ms(&shard->worker);

    if (shard->exhausted_logged_ms != 0 &&
        now_ms - shard->exhausted_logged_ms < 1000)
        return;
    shard->exhausted_logged_ms = now_ms;
    LOG(LOG_WARN, "descriptors_exhausted",
        LOG_TEXT(LOG_ERR, strerrordesc_np(-error)),
        LOG_TEXT(LOG_FIX, "raise RLIMIT_NOFILE or lower --max-connections"));
}

void shard_rest(struct shard *shard)
{
    for (struct listener *l = shard->listeners; l != NULL; l = l->next)
        listener_rest(l);
    if (shard->challenges.fd >= 0)
        listener_rest(&shard->challenges);
}

void shard_go_on(struct shard *shard)
{
    for (struct listener *l = shard->listeners; l != NULL; l = l->next)
        listener_resume(l);
    listener_resume(&shard->challenges);
}

static void on_rested(struct timer *t, uint64_t now_ms)
{
    struct shard *shard =
        (struct shard *)(void *)((char *)t - offsetof(struct shard, rested));

    (void)now_ms;
    shard_go_on(shard);
}

/* Without a reserve nobody can be turned away: who has waited longest before
 * its upgrade makes room for one; where nobody waits, nobody is let in for a
 * moment. */
static void on_exhausted(struct listener *l, int error)
{
    struct shard *shard = l->owner;
    struct conn *oldest = NULL;

    metrics_count(&shard->metrics, METRIC_DESCRIPTORS_EXHAUSTED);
    log_exhausted(shard, error);
    if (l->reserve >= 0 && !l->rests)
        return;
    oldest = l->rests                          ? NULL
             : shard->handshakes.first != NULL ? shard->handshakes.first
                                               : shard->pending.first;
    if (oldest != NULL) {
        conn_drop(oldest);
        return;
    }
    listener_rest(l);
    timer_set(&shard->worker.timers, &shard->rested,
        worker_now_ms(&shard->worker) + TIMER_TICK_MS);
}

static int listen_with(struct shard *shard, struct listener *l,
    listener_accept_fn *accept, struct listener_socket socket)
{
    l->owner = shard;
    l->turn = &shard->relay->accept_turn;
    l->accept = accept;
    l->exhausted = on_exhausted;
    shard->rested.fn = on_rested;
    return listener_start(l, &shard->worker, socket);
}

int shard_listen(struct shard *shard, struct listener_socket socket)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return -ENOMEM;
    l->fd = -1;
    l->next = shard->listeners;
    shard->listeners = l; /* freed once the loop has let go of it */
    return listen_with(shard, l, on_accept, socket);
}

int shard_listen_challenges(struct shard *shard, struct listener_socket socket)
{
    return listen_with(shard, &shard->challenges, on_accept_challenge, socket);
}

void shard_refuse(const struct shard *shard)
{
    for (const struct listener *l = shard->listeners; l != NULL; l = l->next)
        listener_refuse(l);
}

void shard_stop_listening(struct shard *shard)
{
    timer_cancel(&shard->worker.timers, &shard->rested);
    for (struct listener *l = shard->listeners; l != NULL; l = l->next)
        listener_stop(l);
    listener_stop(&shard->challenges);
}

static void free_listeners(struct shard *shard)
{
    while (shard->listeners != NULL) {
        struct listener *l = shard->listeners;

        shard->listeners = l->next;
        free(l);
    }
}

/* ---- letters ---- */

void shard_post(struct shard *to, struct shard_letter *letter)
{
    if (!atomic_exchange(&letter->posted, true))
        mailbox_post(&to->mailbox, &letter->mail);
}

static void let_go(struct conn_list *list)
{
    struct conn *next = NULL;

    for (struct conn *c = list->first; c != NULL; c = next) {
        next = c->next;
        session_drain(c);
    }
}

static void on_drain(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    shard->draining = true;
    timer_cancel(&shard->worker.timers, &shard->yield_timer);
    shard_stop_listening(shard);
    let_go(&shard->handshakes);
    let_go(&shard->pending);
    let_go(&shard->live);
    conn_flush_dirty(shard);
    if (shard->conn_count == 0)
        shard_post(&shard->relay->control, &shard->drained);
}

static void on_stop(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    worker_stop(&shard->worker);
}

static void on_yield(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    if (shard->draining)
        return;
    shard_stop_listening(shard);
    yield_shard(shard);
}

static void on_listen(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    if (!shard->draining)
        shard_go_on(shard);
}

static void on_shed(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    atomic_store(&shard->shed.posted, false);
    memory_shed(shard);
    conn_flush_dirty(shard);
}

/* Of another shard: too many wait, and nobody does there. */
static void on_room(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    atomic_store(&shard->room.posted, false);
    shard_make_room(shard);
}

/* Those that awaited it go on, some in each round. */
static void on_shown(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    atomic_store(&shard->shown.posted, false);
    if (handshake_resume(shard))
        shard_post(shard, &shard->shown);
}

static void on_drained(void *owner, struct mail *mail)
{
    struct shard *control = owner;

    (void)mail;
    relay_shard_drained(control->relay);
}

/* ---- the whole ---- */

static void on_grace_over(void *owner, struct conn *const *phones, size_t count)
{
    struct shard *shard = owner;

    metrics_count(&shard->metrics, METRIC_GRACE_EXPIRIES);
    metrics_add(&shard->metrics, METRIC_EVICTED_GRACE_EXPIRY, count);
    session_grace_over(phones, count);
    conn_flush_dirty(shard);
}

int shard_init(struct shard *shard, struct relay *relay)
{
    const struct registry_setup setup = {
        .expired = on_grace_over,
        .unanswered = claim_unanswered,
        .owner = shard,
        .key = relay->server_key,
        .phones_max = config_count(relay->config, CONFIG_MAX_PHONES_PER_SERVER),
    };
    int failed = worker_init(&shard->worker);

    if (failed != 0)
        return failed;
    shard->relay = relay;
    shard->challenges.fd = -1;
    shard->drain.mail.fn = on_drain;
    shard->drained.mail.fn = on_drained;
    shard->stop.mail.fn = on_stop;
    shard->yield.mail.fn = on_yield;
    shard->listen.mail.fn = on_listen;
    shard->shed.mail.fn = on_shed;
    shard->room.mail.fn = on_room;
    shard->shown.mail.fn = on_shown;
    if (!outbox_pool_init(&shard->rooms))
        return -ENOMEM;
    failed = mailbox_open(&shard->mailbox, &shard->worker, shard);
    if (failed != 0)
        return failed;
    return registry_init(&shard->registry, &shard->worker.timers, &setup);
}

static void drop_all(struct conn_list *list)
{
    while (list->first != NULL) {
        struct conn *c = list->first;

        session_drain(c);
        conn_drop(c);
    }
}

void shard_clear(struct shard *shard)
{
    shard->draining = true;
    shard_stop_listening(shard);
    drop_all(&shard->handshakes);
    drop_all(&shard->pending);
    drop_all(&shard->live);
}

void shard_done(struct shard *shard)
{
    mailbox_close(&shard->mailbox);
    worker_done(&shard->worker);
    free_listeners(shard);
    outbox_pool_done(&shard->rooms);
    registry_done(&shard->registry);
    certificates_done(shard);
    tls_server_free(shard->tls);
    shard->tls = NULL;
}
