#include "relay/relay.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/certificates.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/status.h"
#include "relay/taker.h"
#include "relay/yield.h"

enum { HOUSEKEEPING_MS = 1000 }; /* how often the control shard looks around */

/* ---- making one ---- */

static void set_budgets(struct relay *relay, const struct config *config)
{
    relay->live.limit = config_count(config, CONFIG_MAX_CONNECTIONS);
    relay->binaries.limit = config_count(config, CONFIG_MAX_BINARIES);
    relay->phones.limit = config_count(config, CONFIG_MAX_PHONES);
    relay->pending.limit = config_count(config, CONFIG_MAX_PENDING);
    relay->handshakes.limit = config_count(config, CONFIG_MAX_HANDSHAKES);
    relay->memory.limit = config_count(config, CONFIG_MAX_QUEUED);
    relay->scrapes.limit = LIMIT_SCRAPES;
    relay->validations.limit = LIMIT_VALIDATIONS;
}

static uint32_t as_u32(size_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* Twice as many accounts as connections, so that those alone cannot fill the
 * table; there are no more connections than descriptors, whatever a flag asks
 * for. */
static uint32_t count_accounts(const struct relay *relay)
{
    size_t open =
        relay->live.limit + relay->pending.limit + relay->handshakes.limit;

    if (open > (size_t)relay->descriptors)
        open = (size_t)relay->descriptors;
    if (open <= ADDRESS_ACCOUNTS_MAX / 2)
        return ADDRESS_ACCOUNTS_MAX;
    return open > UINT32_MAX / 4 ? UINT32_MAX / 2 : (uint32_t)(2 * open);
}

static int make_addresses(struct relay *relay, struct siphash_key key)
{
    const struct config *config = relay->config;
    const struct address_limits limits = {
        .burst = as_u32(config_count(config, CONFIG_UPGRADE_BURST)),
        .interval_ms =
            as_u32(1000 * config_count(config, CONFIG_UPGRADE_INTERVAL)),
        .pending_max =
            as_u32(config_count(config, CONFIG_MAX_PENDING_PER_ADDRESS)),
        .connections_max =
            as_u32(config_count(config, CONFIG_MAX_CONNECTIONS_PER_ADDRESS)),
        .accounts_max = count_accounts(relay),
    };

    relay->addresses = address_table_new(&limits, key);
    return relay->addresses == NULL ? -ENOMEM : 0;
}

static int make_shards(struct relay *relay)
{
    size_t count = config_count(relay->config, CONFIG_THREADS);

    relay->shards = calloc(count, sizeof(*relay->shards));
    if (relay->shards == NULL)
        return -ENOMEM;
    relay->shard_count = count;
    for (size_t i = 0; i < count; i++) {
        int failed = shard_init(&relay->shards[i], relay);

        if (failed != 0)
            return failed;
    }
    return shard_init(&relay->control, relay);
}

/* As many as the budgets may take, within the limit. */
static int count_descriptors(const struct config *config)
{
    uint64_t count = config_descriptors(config);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count)
        count = limit.rlim_cur;
    return count > INT_MAX ? INT_MAX : (int)count;
}

static int make_tls(struct relay *relay)
{
    struct tls_server_setup setup = {
        .hello = certificates_judge,
        .started_ms = worker_now_ms(&relay->control.worker),
    };
    ssize_t got = getrandom(setup.ticket_seed, sizeof(setup.ticket_seed), 0);
    bool made = got == (ssize_t)sizeof(setup.ticket_seed);

    relay->tls = tls_shared_new();
    setup.shared = relay->tls;
    made = made && relay->tls != NULL;
    for (size_t i = 0; i < relay->shard_count && made; i++) {
        setup.owner = &relay->shards[i];
        relay->shards[i].tls = tls_server_new(&setup);
        made = relay->shards[i].tls != NULL;
    }
    explicit_bzero(setup.ticket_seed, sizeof(setup.ticket_seed));
    return made ? 0 : -ENOMEM;
}

int relay_init(struct relay *relay, const struct config *config)
{
    struct siphash_key keys[3];
    int failed = 0;

    *relay = (struct relay){
        .config = config,
        .instance_lock = -1,
        .metrics_socket.fd = -1,
        .challenges_socket.fd = -1,
        .manager.fd = -1,
        .domain = config->insecure ? NULL : config->text[CONFIG_DOMAIN],
    };
    if (getrandom(keys, sizeof(keys), 0) != (ssize_t)sizeof(keys))
        return -errno;
    relay->server_key = keys[0];
    relay->number_key = keys[1];
    process_stats_open(&relay->process); /* before the seal */
    relay->descriptors = count_descriptors(config);
    set_budgets(relay, config);
    relay->rate =
        rate_limit_of(config_count(config, CONFIG_MAX_BYTES_PER_SECOND));
    failed = -pthread_mutex_init(&relay->accept_turn, NULL);
    relay->has_turn = failed == 0;
    if (failed == 0)
        failed = make_addresses(relay, keys[2]);
    if (failed == 0)
        failed = make_shards(relay);
    if (failed == 0 && relay->domain != NULL)
        failed = make_tls(relay);
    if (failed != 0) {
        relay_done(relay);
        return failed;
    }
    relay->started_ms = worker_now_ms(&relay->control.worker);
    return 0;
}

/* ---- what every shard may ask ---- */

static uint64_t age_of(const struct shard *shard, uint64_t now_ms)
{
    uint64_t beat_ms = worker_beat_ms(&shard->worker);

    return now_ms > beat_ms ? now_ms - beat_ms : 0;
}

size_t relay_alive(const struct relay *relay, uint64_t now_ms)
{
    size_t alive = 0;

    for (size_t i = 0; i < relay->shard_count; i++)
        alive += age_of(&relay->shards[i], now_ms) <= LIMIT_WEDGED_MS;
    return alive;
}

static uint64_t beat_age(const struct relay *relay, uint64_t now_ms)
{
    uint64_t oldest = 0;

    for (size_t i = 0; i < relay->shard_count; i++) {
        uint64_t age = age_of(&relay->shards[i], now_ms);

        if (age > oldest)
            oldest = age;
    }
    return oldest;
}

size_t relay_binaries(const struct relay *relay)
{
    size_t count = 0;

    for (size_t i = 0; i < relay->shard_count; i++)
        count += relay->shards[i].registry.binary_count;
    return count;
}

size_t relay_phones(const struct relay *relay)
{
    size_t count = 0;

    for (size_t i = 0; i < relay->shard_count; i++)
        count += relay->shards[i].registry.phone_count;
    return count;
}

static size_t grace_windows(const struct relay *relay)
{
    size_t slots = 0;
    size_t binaries = relay_binaries(relay);

    for (size_t i = 0; i < relay->shard_count; i++)
        slots += relay->shards[i].registry.slot_count;
    return slots > binaries ? slots - binaries : 0;
}

enum readiness relay_readiness(const struct relay *relay)
{
    if (atomic_load(&relay->draining) || atomic_load(&relay->yielded))
        return RELAY_DRAINING;
    if (budget_taken(&relay->live) >= relay->live.limit ||
        budget_taken(&relay->memory) >= relay->memory.limit)
        return RELAY_OVERLOADED;
    return RELAY_READY;
}

const char *relay_readiness_name(enum readiness is)
{
    static const char *const names[] = {
        [RELAY_READY] = "ready",
        [RELAY_DRAINING] = "draining",
        [RELAY_OVERLOADED] = "overloaded",
    };

    return names[is];
}

/* The numbers that no thread counts. */
static void set_gauges(struct relay *relay)
{
    struct metrics *m = &relay->control.metrics;
    uint64_t now_ms = worker_now_ms(&relay->control.worker);
    enum readiness is = relay_readiness(relay);

    metrics_set(m, METRIC_CONNECTED_BINARIES, relay_binaries(relay));
    metrics_set(m, METRIC_CONNECTED_PHONES, relay_phones(relay));
    metrics_set(m, METRIC_CONNECTIONS_BINARY, budget_taken(&relay->binaries));
    metrics_set(m, METRIC_CONNECTIONS_PHONE, budget_taken(&relay->phones));
    metrics_set(m, METRIC_CONNECTIONS_STRANGER, budget_taken(&relay->pending));
    metrics_set(
        m, METRIC_CONNECTIONS_HANDSHAKE, budget_taken(&relay->handshakes));
    metrics_set(
        m, METRIC_CERTIFICATE_EXPIRY, (uint64_t)relay->certificate_expires_s);
    metrics_set(m, METRIC_CERTIFICATE_ISSUED, (uint64_t)relay->agent.issued_s);
    metrics_set(
        m, METRIC_CERTIFICATE_NEXT_TRY, (uint64_t)relay->agent.next_try_s);
    metrics_set(m, METRIC_CONNECTIONS_LIMIT, relay->live.limit);
    metrics_set(m, METRIC_QUEUED_BYTES_LIMIT, relay->memory.limit);
    metrics_set(m, METRIC_WORKERS, relay->shard_count);
    metrics_set(m, METRIC_WORKERS_ALIVE, relay_alive(relay, now_ms));
    metrics_set(m, METRIC_WORKER_BEAT_AGE, beat_age(relay, now_ms));
    metrics_set(m, METRIC_GRACE_WINDOWS, grace_windows(relay));
    metrics_set(m, METRIC_PUSH_UNDER_WAY, wake_count(relay));
    metrics_set(m, METRIC_READY, is == RELAY_READY);
    metrics_set(m, METRIC_DRAINING, is == RELAY_DRAINING);
    if (relay->log != NULL)
        metrics_set(m, METRIC_LOG_SUPPRESSED, log_left_out(relay->log));
}

const struct metrics_sum *relay_sum(struct relay *relay)
{
    memset(&relay->sum, 0, sizeof(relay->sum));
    set_gauges(relay);
    metrics_sum_add(&relay->sum, &relay->control.metrics);
    for (size_t i = 0; i < relay->shard_count; i++)
        metrics_sum_add(&relay->sum, &relay->shards[i].metrics);
    return &relay->sum;
}

/* ---- the service manager ---- */

static void tell_manager(const struct relay *relay, const char *message)
{
    IGNORE(sd_notify_send(&relay->manager, message) != 0,
        "its time-outs tell it the same");
}

/* A worker that does not get on is a reason to be started anew. */
static void feed_watchdog(struct relay *relay)
{
    uint64_t now_ms = worker_now_ms(&relay->control.worker);

    if (relay_alive(relay, now_ms) == relay->shard_count)
        sd_notify_feed(&relay->manager, now_ms);
}

/* ---- draining ---- */

static struct relay *relay_of_drain(struct timer *t)
{
    return (struct relay *)(void *)((char *)t -
                                    offsetof(struct relay, drain_timer));
}

static void end_drain(struct relay *relay)
{
    timer_cancel(&relay->control.worker.timers, &relay->drain_timer);
    worker_stop(&relay->control.worker);
}

void relay_shard_drained(struct relay *relay)
{
    if (relay->stopped)
        return;
    if (++relay->drained == relay->shard_count)
        end_drain(relay);
}

static void on_drain_late(struct timer *t, uint64_t now_ms)
{
    struct relay *relay = relay_of_drain(t);

    (void)now_ms;
    relay->drain_late = true;
    end_drain(relay);
}

/* From here on, not from the workers' next round on; unless the sockets are
 * another process's by now. */
static void refuse_all(struct relay *relay)
{
    if (atomic_load(&relay->yielded))
        return;
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_refuse(&relay->shards[i]);
    metrics_count(&relay->control.metrics, METRIC_DRAINS);
}

void relay_drain(struct relay *relay)
{
    struct worker *w = &relay->control.worker;

    if (atomic_exchange(&relay->draining, true))
        return;
    refuse_all(relay);
    giver_stop(&relay->giver);
    tell_manager(relay, "STOPPING=1\nSTATUS=draining");
    relay->drain_timer.fn = on_drain_late;
    timer_set(
        &w->timers, &relay->drain_timer, worker_now_ms(w) + LIMIT_DRAIN_MS);
    listener_stop(&relay->control.challenges);
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_post(&relay->shards[i], &relay->shards[i].drain);
}

static void on_signal(struct signals *signals, int number)
{
    struct relay *relay = signals->owner;

    (void)number;
    if (atomic_load(&relay->draining))
        return;
    log_write(LOG_INFO, "shutdown signal received; draining", NULL, 0);
    relay_drain(relay);
}

static int watch_signals(struct relay *relay)
{
    sigset_t which;

    (void)sigemptyset(&which);
    (void)sigaddset(&which, SIGTERM);
    (void)sigaddset(&which, SIGINT);
    relay->signals.arrived = on_signal;
    relay->signals.owner = relay;
    return signals_start(&relay->signals, &relay->control.worker, &which);
}

/* ---- serving ---- */

/* Once a second; seconds that were missed are not made up for. */
static void set_second(struct relay *relay, uint64_t now_ms)
{
    uint64_t at_ms = relay->second.at_ms + HOUSEKEEPING_MS;

    if (at_ms <= now_ms)
        at_ms = now_ms + HOUSEKEEPING_MS;
    timer_set(&relay->control.worker.timers, &relay->second, at_ms);
}

static uint64_t count_handshakes(const struct relay *relay)
{
    static const enum metric done[] = {METRIC_TLS_12_FULL,
        METRIC_TLS_12_RESUMED, METRIC_TLS_13_FULL, METRIC_TLS_13_RESUMED};
    uint64_t count = 0;

    for (size_t i = 0; i < relay->shard_count; i++) {
        for (size_t j = 0; j < ARRAY_LEN(done); j++)
            count += metrics_read(&relay->shards[i].metrics, done[j]);
    }
    return count;
}

static void on_second(struct timer *t, uint64_t now_ms)
{
    struct relay *relay =
        (struct relay *)(void *)((char *)t - offsetof(struct relay, second));

    set_second(relay, now_ms);
    if (relay->log != NULL)
        log_tick(relay->log);
    status_take_sample(relay);
    wake_tick(relay);
    certificate_files_follow(relay);
    if (atomic_load(&relay->yielded))
        yield_look(relay);
    feed_watchdog(relay);
    if (heap_is_due(&relay->heap, count_handshakes(relay)))
        heap_trim();
}

static void keep_house(struct relay *relay)
{
    relay->second.fn = on_second;
    set_second(relay, worker_now_ms(&relay->control.worker));
}

typedef int listen_fn(struct shard *shard, struct listener_socket socket);

static int listen_on(
    listen_fn *listen, struct shard *shard, struct listener_socket *socket)
{
    int failed = socket->fd < 0 ? 0 : listen(shard, *socket);

    if (failed == 0)
        socket->fd = -1;
    return failed;
}

/* Sockets of the public address go round the shards; where there are too few,
 * those that have one deal out what it brings. */
static int start_public(struct relay *relay)
{
    int failed = 0;

    for (size_t i = 0; i < relay->public_count && failed == 0; i++) {
        struct shard *shard = &relay->shards[i % relay->shard_count];

        shard->deals = relay->public_count < relay->shard_count;
        failed = listen_on(shard_listen, shard, &relay->publics[i]);
    }
    return failed;
}

static int start_listeners(struct relay *relay)
{
    int failed = start_public(relay);

    if (failed == 0) {
        failed = listen_on(shard_listen_challenges, &relay->control,
            &relay->challenges_socket);
    }
    if (failed != 0 || relay->metrics_socket.fd < 0)
        return failed;
    LOG(LOG_INFO, "starting metrics listener",
        LOG_TEXT(LOG_LISTEN, relay->config->text[CONFIG_METRICS_LISTEN]));
    return listen_on(shard_listen, &relay->control, &relay->metrics_socket);
}

/* The listeners wait until who has served so far has yielded. */
static void rest_all(struct relay *relay)
{
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_rest(&relay->shards[i]);
    shard_rest(&relay->control);
}

/* To be taken over from in turn; who serves already is not ended for it. */
static void start_giver(struct relay *relay)
{
    struct taker *taker = relay->taker;
    int failed =
        giver_start(&relay->giver, relay, taker->socket, relay->instance_lock);

    if (failed == 0) {
        taker->socket = -1;
    } else {
        LOG(LOG_ERROR, "listener failed", LOG_TEXT(LOG_ADDR, taker->path),
            LOG_TEXT(LOG_ERR, strerrordesc_np(-failed)));
    }
}

/* From then on this process serves. */
static int take_over(struct relay *relay)
{
    struct taker *taker = relay->taker;

    if (!taker_ready(taker))
        return -ECANCELED;
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_post(&relay->shards[i], &relay->shards[i].listen);
    shard_go_on(&relay->control);
    start_giver(relay);
    return 0;
}

static int start(struct relay *relay)
{
    int failed = watch_signals(relay);

    keep_house(relay);
    if (failed == 0)
        failed = start_listeners(relay);
    if (failed == 0 && relay->log != NULL)
        log_limit(relay->log);
    relay->serving = failed == 0;
    if (failed == 0 && relay->taker != NULL)
        rest_all(relay);
    for (size_t i = 0; i < relay->shard_count && failed == 0; i++)
        failed = worker_start(&relay->shards[i].worker);
    return failed == 0 && relay->taker != NULL ? take_over(relay) : failed;
}

static void stop_workers(struct relay *relay)
{
    for (size_t i = 0; i < relay->shard_count; i++) {
        struct shard *shard = &relay->shards[i];

        if (shard->worker.started)
            shard_post(shard, &shard->stop);
        worker_join(&shard->worker);
    }
}

int relay_serve(struct relay *relay)
{
    int failed = start(relay);

    if (failed == 0) {
        tell_manager(relay, "READY=1\nSTATUS=serving");
        worker_run(&relay->control.worker);
    }
    stop_workers(relay);
    wake_close(relay);
    if (relay->log != NULL)
        log_tick(relay->log);
    if (failed != 0)
        return failed;
    if (relay->drain_late) {
        LOG(LOG_WARN, "shutdown deadline exceeded; force-closed listeners",
            LOG_TEXT(LOG_ERR, "connections did not end in time"));
        LOG(LOG_WARN, "drain incomplete",
            LOG_TEXT(LOG_ERR, "connections did not end in time"));
    } else {
        log_write(LOG_INFO, "shutdown complete", NULL, 0);
    }
    return 0;
}

void relay_done(struct relay *relay)
{
    struct shard *control = &relay->control;

    atomic_store(&relay->stopped, true);
    giver_stop(&relay->giver);
    agent_link_close(relay);
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_clear(&relay->shards[i]);
    shard_clear(control);
    /* Who was under way to a shard ends there. */
    for (size_t i = 0; i < relay->shard_count; i++)
        mailbox_deliver(&relay->shards[i].mailbox);
    if (relay->shard_count > 0)
        mailbox_deliver(&relay->control.mailbox);
    relay_unbind(relay);
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_done(&relay->shards[i]);
    wake_done(relay);
    signals_stop(&relay->signals);
    shard_done(control);
    tls_shared_free(relay->tls);
    relay->tls = NULL;
    process_stats_close(&relay->process);
    sd_notify_close(&relay->manager);
    if (relay->has_turn)
        (void)pthread_mutex_destroy(&relay->accept_turn);
    relay->has_turn = false;
    address_table_free(relay->addresses);
    relay->addresses = NULL;
    free(relay->shards);
    relay->shards = NULL;
    relay->shard_count = 0;
}
