#include "relay/shard.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/permute.h"
#include "relay/certificates.h"
#include "relay/claim.h"
#include "relay/frames.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/memory.h"
#include "relay/relay.h"
#include "relay/session.h"

/* ---- budgets ---- */

static struct budget *role_budget(const struct conn *c)
{
    struct relay *relay = c->shard->relay;

    return c->role == CONN_BINARY ? &relay->binaries : &relay->phones;
}

/* Scrapes are no stranger's: they wait on their own account. */
static struct budget *waiting_budget(
    const struct conn *c, enum conn_account account)
{
    struct relay *relay = c->shard->relay;

    if (account == CONN_HANDSHAKE)
        return &relay->handshakes;
    return c->surface == CONN_METRICS ? &relay->scrapes : &relay->pending;
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

static void delist(struct conn *c)
{
    conn_list_remove(list_of(c), c);
    note_who_waits(c->shard);
}

/* From no budget any more, and on no list. */
static void uncount(struct conn *c)
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
        delist(c);
    c->account = CONN_UNCOUNTED;
}

static void count_as(struct conn *c, enum conn_account as)
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
    uncount(c);
    c->hold = hold;
    count_as(c, CONN_LIVE);
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
    uncount(c);
    (void)budget_add(waiting_budget(c, as), 1);
    count_as(c, as);
    /* In a drain everybody is told, however many they are. */
    if (budget_is_passed(waiting_budget(c, as)) && !c->shard->draining)
        make_room(c);
}

void shard_count_pending(struct conn *c)
{
    if (c->account != CONN_PENDING)
        count_waiting(c, CONN_PENDING);
}

/* Count it anew as one that waits, while its address keeps its place. */
static void count_with_hold(struct conn *c, enum conn_account as)
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
    count_with_hold(c, CONN_PENDING);
}

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
    uncount(c);
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
    count_with_hold(c, c->state == CONN_HEAD ? CONN_PENDING : CONN_HANDSHAKE);
}

/* It was under way, and there is nowhere to go. */
static void abandon(struct conn *c)
{
    count_as(c, c->account);
    uncount(c);
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
    count_as(c, c->account);
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
    struct shard *from = c->shard;

    delist(c); /* still counted: it moves on */
    from->conn_count--;
    c->moves_to = to;
    c->stream.detached = on_detached;
    conn_leave(c);
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
        LOG_TEXT(LOG_ERR, uv_strerror(error)),
        LOG_TEXT(LOG_FIX, "raise RLIMIT_NOFILE or lower --max-connections"));
}

static void on_rested(struct timer *t, uint64_t now_ms)
{
    struct shard *shard =
        (struct shard *)(void *)((char *)t - offsetof(struct shard, rested));

    (void)now_ms;
    listener_resume(&shard->listener);
    listener_resume(&shard->challenges);
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
    if (l->reserve >= 0)
        return;
    oldest = shard->handshakes.first != NULL ? shard->handshakes.first
                                             : shard->pending.first;
    if (oldest != NULL) {
        conn_drop(oldest);
        return;
    }
    listener_rest(l);
    timer_set(&shard->worker.timers, &shard->rested,
        worker_now_ms(&shard->worker) + TIMER_TICK_MS);
}

static int listen_with(
    struct shard *shard, struct listener *l, listener_accept_fn *accept, int fd)
{
    l->owner = shard;
    l->turn = &shard->relay->accept_turn;
    l->accept = accept;
    l->exhausted = on_exhausted;
    shard->rested.fn = on_rested;
    return listener_start(l, &shard->worker, fd);
}

int shard_listen(struct shard *shard, int fd)
{
    return listen_with(shard, &shard->listener, on_accept, fd);
}

int shard_listen_challenges(struct shard *shard, int fd)
{
    return listen_with(shard, &shard->challenges, on_accept_challenge, fd);
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
    listener_stop(&shard->listener);
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

static void on_shed(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    atomic_store(&shard->shed.posted, false);
    memory_shed(shard);
    conn_flush_dirty(shard);
}

static void make_room_of(
    const struct conn_list *list, const struct budget *budget)
{
    if (budget_is_passed(budget) && list->first != NULL)
        drop_waiting(list->first);
}

/* Of another shard: too many wait, and nobody does there. */
static void on_room(void *owner, struct mail *mail)
{
    struct shard *shard = owner;

    (void)mail;
    atomic_store(&shard->room.posted, false);
    make_room_of(&shard->pending, &shard->relay->pending);
    make_room_of(&shard->handshakes, &shard->relay->handshakes);
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
    int failed = worker_init(&shard->worker, relay->descriptors);

    if (failed != 0)
        return failed;
    shard->relay = relay;
    shard->listener.fd = -1;
    shard->challenges.fd = -1;
    shard->drain.mail.fn = on_drain;
    shard->drained.mail.fn = on_drained;
    shard->stop.mail.fn = on_stop;
    shard->shed.mail.fn = on_shed;
    shard->room.mail.fn = on_room;
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
    listener_stop(&shard->listener);
    listener_stop(&shard->challenges);
    drop_all(&shard->handshakes);
    drop_all(&shard->pending);
    drop_all(&shard->live);
}

void shard_done(struct shard *shard)
{
    worker_done(&shard->worker);
    registry_done(&shard->registry);
    certificates_done(shard);
    tls_server_free(shard->tls);
    shard->tls = NULL;
}
