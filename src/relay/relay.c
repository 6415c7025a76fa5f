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

#include "base/host_port.h"
#include "relay/certificates.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/status.h"

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
    relay->public_fds = calloc(count, sizeof(*relay->public_fds));
    if (relay->shards == NULL || relay->public_fds == NULL)
        return -ENOMEM;
    relay->shard_count = count;
    for (size_t i = 0; i < count; i++)
        relay->public_fds[i] = -1;
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
        .metrics_fd = -1,
        .challenges_fd = -1,
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

/* ---- binding ---- */

static void log_listener_failed(const char *address, int error)
{
    LOG(LOG_ERROR, "listener failed", LOG_TEXT(LOG_ADDR, address),
        LOG_TEXT(LOG_ERR, strerrordesc_np(-error)));
}

static int open_one(
    const struct host_port *hp, enum listener_share share, int *ret_fd)
{
    int failed = listener_open(&hp->addr, hp->addr_len, share, ret_fd);

    if (failed == -EAFNOSUPPORT && hp->any) {
        /* No IPv6 here: every address is every IPv4 address. */
        struct sockaddr_storage any = {.ss_family = AF_INET};

        ((struct sockaddr_in *)&any)->sin_port = htons(hp->port);
        failed = listener_open(&any, sizeof(struct sockaddr_in), share, ret_fd);
    }
    return failed;
}

/* A socket for each shard; where the kernel does not let sockets share an
 * address, one whose connections are dealt out in turn. */
static int open_public(struct relay *relay, const struct host_port *hp)
{
    int failed = 0;

    if (relay->shard_count == 1)
        return open_one(hp, LISTENER_ALONE, &relay->public_fds[0]);
    relay->shared = true;
    for (size_t i = 0; i < relay->shard_count && failed == 0; i++) {
        failed = open_one(hp, i == 0 ? LISTENER_FIRST : LISTENER_SIBLING,
            &relay->public_fds[i]);
    }
    if (failed != -ENOPROTOOPT)
        return failed;
    relay->shared = false;
    log_write(LOG_WARN,
        "this kernel has no SO_REUSEPORT: one worker accepts for all", NULL, 0);
    return open_one(hp, LISTENER_ALONE, &relay->public_fds[0]);
}

static int open_surface(
    struct relay *relay, enum conn_surface surface, const struct host_port *hp)
{
    switch (surface) {
    case CONN_PUBLIC:
        return open_public(relay, hp);
    case CONN_METRICS:
        return open_one(hp, LISTENER_ALONE, &relay->metrics_fd);
    case CONN_CHALLENGES:
        return open_one(hp, LISTENER_ALONE, &relay->challenges_fd);
    }
    return -EINVAL;
}

static bool bind_one(struct relay *relay, const struct relay_plan *plan)
{
    struct host_port hp;
    int failed = -EINVAL;

    if (host_port_parse(span_str(plan->address), &hp) == HOST_PORT_OK)
        failed = open_surface(relay, plan->surface, &hp);
    if (failed != 0)
        log_listener_failed(plan->address, failed);
    return failed == 0;
}

size_t relay_plan(
    const struct config *config, struct relay_plan ret[RELAY_LISTENERS])
{
    static const struct {
        enum config_flag flag;
        const char *label;
        enum conn_surface surface;
        bool plain; /* opened without TLS */
        bool secure;
    } all[RELAY_LISTENERS + 1] = {
        {CONFIG_INSECURE_LISTEN, "--insecure-listen", CONN_PUBLIC, true, false},
        {CONFIG_HTTPS_LISTEN, "--https-listen", CONN_PUBLIC, false, true},
        {CONFIG_HTTP_LISTEN, "--http-listen", CONN_CHALLENGES, false, true},
        {CONFIG_METRICS_LISTEN, "--metrics-listen", CONN_METRICS, true, true},
    };
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const char *address = config->text[all[i].flag];
        bool opened = config->insecure ? all[i].plain : all[i].secure;

        if (opened && address[0] != '\0') {
            ret[count++] = (struct relay_plan){
                .address = address,
                .label = all[i].label,
                .surface = all[i].surface,
            };
        }
    }
    return count;
}

bool relay_bind(struct relay *relay)
{
    struct relay_plan plan[RELAY_LISTENERS];
    size_t count = relay_plan(relay->config, plan);

    for (size_t i = 0; i < count; i++) {
        if (!bind_one(relay, &plan[i]))
            return false;
    }
    return true;
}

size_t relay_public_sockets(const struct relay *relay)
{
    size_t count = 0;

    for (size_t i = 0; i < relay->shard_count; i++)
        count += relay->public_fds[i] >= 0;
    return count;
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
    if (atomic_load(&relay->draining))
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
    metrics_set(m, METRIC_CONNECTIONS_LIMIT, relay->live.limit);
    metrics_set(m, METRIC_QUEUED_BYTES_LIMIT, relay->memory.limit);
    metrics_set(m, METRIC_WORKERS, relay->shard_count);
    metrics_set(m, METRIC_WORKERS_ALIVE, relay_alive(relay, now_ms));
    metrics_set(m, METRIC_WORKER_BEAT_AGE, beat_age(relay, now_ms));
    metrics_set(m, METRIC_GRACE_WINDOWS, grace_windows(relay));
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

static void start_drain(struct relay *relay)
{
    struct worker *w = &relay->control.worker;

    if (atomic_exchange(&relay->draining, true))
        return;
    /* From here on, not from the workers' next round on. */
    for (size_t i = 0; i < relay->shard_count; i++)
        listener_refuse(&relay->shards[i].listener);
    log_write(LOG_INFO, "shutdown signal received; draining", NULL, 0);
    metrics_count(&relay->control.metrics, METRIC_DRAINS);
    relay->drain_timer.fn = on_drain_late;
    timer_set(
        &w->timers, &relay->drain_timer, worker_now_ms(w) + LIMIT_DRAIN_MS);
    listener_stop(&relay->control.challenges);
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_post(&relay->shards[i], &relay->shards[i].drain);
}

static void on_signal(struct signals *signals, int number)
{
    (void)number;
    start_drain(signals->owner);
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
    certificate_files_follow(relay);
    if (heap_is_due(&relay->heap, count_handshakes(relay)))
        heap_trim();
}

static void keep_house(struct relay *relay)
{
    relay->second.fn = on_second;
    set_second(relay, worker_now_ms(&relay->control.worker));
}

static int listen_on(
    int (*listen)(struct shard *, int), struct shard *shard, int *fd)
{
    int failed = *fd < 0 ? 0 : listen(shard, *fd);

    if (failed == 0)
        *fd = -1;
    return failed;
}

static int start_listeners(struct relay *relay)
{
    int failed = 0;

    relay->shards[0].deals = relay->shard_count > 1 && !relay->shared;
    for (size_t i = 0; i < relay->shard_count && failed == 0; i++) {
        failed =
            listen_on(shard_listen, &relay->shards[i], &relay->public_fds[i]);
    }
    if (failed == 0) {
        failed = listen_on(
            shard_listen_challenges, &relay->control, &relay->challenges_fd);
    }
    if (failed != 0 || relay->metrics_fd < 0)
        return failed;
    LOG(LOG_INFO, "starting metrics listener",
        LOG_TEXT(LOG_LISTEN, relay->config->text[CONFIG_METRICS_LISTEN]));
    return listen_on(shard_listen, &relay->control, &relay->metrics_fd);
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
    for (size_t i = 0; i < relay->shard_count && failed == 0; i++)
        failed = worker_start(&relay->shards[i].worker);
    return failed;
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

    if (failed == 0)
        worker_run(&relay->control.worker);
    stop_workers(relay);
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

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void relay_done(struct relay *relay)
{
    struct shard *control = &relay->control;

    atomic_store(&relay->stopped, true);
    for (size_t i = 0; i < relay->shard_count; i++)
        shard_clear(&relay->shards[i]);
    shard_clear(control);
    /* Who was under way to a shard ends there. */
    for (size_t i = 0; i < relay->shard_count; i++)
        mailbox_deliver(&relay->shards[i].mailbox);
    if (relay->shard_count > 0)
        mailbox_deliver(&relay->control.mailbox);
    for (size_t i = 0; i < relay->shard_count; i++) {
        close_if_open(&relay->public_fds[i]);
        shard_done(&relay->shards[i]);
    }
    close_if_open(&relay->metrics_fd);
    close_if_open(&relay->challenges_fd);
    signals_stop(&relay->signals);
    shard_done(control);
    tls_shared_free(relay->tls);
    relay->tls = NULL;
    process_stats_close(&relay->process);
    if (relay->has_turn)
        (void)pthread_mutex_destroy(&relay->accept_turn);
    relay->has_turn = false;
    address_table_free(relay->addresses);
    relay->addresses = NULL;
    free(relay->shards);
    free(relay->public_fds);
    relay->shards = NULL;
    relay->public_fds = NULL;
    relay->shard_count = 0;
}
