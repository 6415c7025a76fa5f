#include "relay/history.h"

#include <assert.h>

#include "base/decimal.h"

static const struct {
    const char *member;
    unsigned decimals;
} columns[HISTORY_COLUMN_COUNT] = {
#define X(name, text, places) [name] = {.member = (text), .decimals = (places)},
    HISTORY_COLUMN_LIST(X)
#undef X
};

/* What counts as refused: an upgrade that was answered with anything else. */
static const enum metric refusals[] = {
    METRIC_SERVER_409,
    METRIC_CLIENT_404,
    METRIC_CLIENT_429,
    METRIC_SERVER_RATE_LIMIT,
    METRIC_CLIENT_RATE_LIMIT,
    METRIC_UPGRADE_NONE,
    METRIC_UPGRADE_METHOD,
    METRIC_UPGRADE_VERSION,
    METRIC_UPGRADE_KEY,
    METRIC_UPGRADE_MALFORMED_HEAD,
    METRIC_UPGRADE_HEAD_TOO_LARGE,
    METRIC_UPGRADE_MISSING_HEADER,
    METRIC_UPGRADE_SERVER_ID,
    METRIC_BUDGET_CONNECTIONS,
    METRIC_BUDGET_ADDRESS,
    METRIC_BUDGET_BINARIES,
    METRIC_BUDGET_PHONES,
    METRIC_BUDGET_PRE_UPGRADE,
    METRIC_BUDGET_ADDRESS_TABLE,
};

static const enum metric received[] = {
    METRIC_RECEIVED_BINARY, METRIC_RECEIVED_PHONE, METRIC_RECEIVED_OTHER};
static const enum metric sent[] = {
    METRIC_SENT_BINARY, METRIC_SENT_PHONE, METRIC_SENT_OTHER};

static uint64_t add_up(
    const struct metrics_sum *sum, const enum metric *which, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += sum->values[which[i]];
    return total;
}

/* Thousandths per second; counters do not fall. */
static uint64_t rate(uint64_t from, uint64_t to, uint64_t elapsed_ms)
{
    double per_ms = (double)(to - from) / (double)elapsed_ms;

    return (uint64_t)(per_ms * 1000 * 1000 + 0.5);
}

/* Latency is of both directions together. */
static void add_latency(
    const struct metrics_sum *sum, struct metrics_buckets *ret)
{
    const struct metrics_buckets *up =
        &sum->histograms[HISTOGRAM_LATENCY_PHONE_TO_BINARY];
    const struct metrics_buckets *down =
        &sum->histograms[HISTOGRAM_LATENCY_BINARY_TO_PHONE];

    for (size_t i = 0; i < METRIC_BUCKETS_MAX; i++)
        ret->counts[i] = up->counts[i] + down->counts[i];
}

static uint64_t quantile(const struct metrics_buckets *from,
    const struct metrics_buckets *to, unsigned permille)
{
    int64_t ns = metrics_quantile(from, to, SCALE_FORWARD_LATENCY, permille);

    return ns == METRICS_NO_QUANTILE ? HISTORY_NONE : (uint64_t)ns;
}

static void put_rates(const struct history *h, const struct history_now *now,
    struct history_sample *sample)
{
    uint64_t elapsed_ms = now->now_ms - h->taken_ms;
    const struct metrics_sum *from = &h->sum;
    const struct metrics_sum *to = now->sum;
    uint64_t cpu_us = now->process->values[PROCESS_CPU_US];
    struct metrics_buckets before = {.sum = 0};
    struct metrics_buckets after = {.sum = 0};
    uint64_t *v = sample->values;

#define RATE_OF(which)                                                         \
    rate(add_up(from, which, ARRAY_LEN(which)),                                \
        add_up(to, which, ARRAY_LEN(which)), elapsed_ms)
    v[HISTORY_RECEIVED] = RATE_OF(received);
    v[HISTORY_SENT] = RATE_OF(sent);
    v[HISTORY_REFUSED] = RATE_OF(refusals);
#undef RATE_OF
    v[HISTORY_PHONE_TO_BINARY] = rate(from->values[METRIC_PHONE_TO_BINARY],
        to->values[METRIC_PHONE_TO_BINARY], elapsed_ms);
    v[HISTORY_BINARY_TO_PHONE] = rate(from->values[METRIC_BINARY_TO_PHONE],
        to->values[METRIC_BINARY_TO_PHONE], elapsed_ms);
    add_latency(from, &before);
    add_latency(to, &after);
    v[HISTORY_LATENCY_P50] = quantile(&before, &after, 500);
    v[HISTORY_LATENCY_P99] = quantile(&before, &after, 990);
    if (cpu_us != PROCESS_STAT_UNKNOWN && h->cpu_us != PROCESS_STAT_UNKNOWN)
        v[HISTORY_CPU] = rate(h->cpu_us, cpu_us, elapsed_ms) / 1000000;
}

bool history_is_due(const struct history *h, uint64_t now_ms)
{
    return h->taken == 0 || now_ms - h->taken_ms >= HISTORY_INTERVAL_MS;
}

void history_take(struct history *h, const struct history_now *now)
{
    struct history_sample *sample = &h->samples[h->taken % HISTORY_SAMPLES];
    const uint64_t *gauges = now->sum->values;
    uint64_t *v = sample->values;

    for (size_t i = 0; i < HISTORY_COLUMN_COUNT; i++)
        v[i] = HISTORY_NONE;
    v[HISTORY_AT] = now->epoch_ms;
    v[HISTORY_BINARIES] = gauges[METRIC_CONNECTED_BINARIES];
    v[HISTORY_PHONES] = gauges[METRIC_CONNECTED_PHONES];
    v[HISTORY_QUEUED] = gauges[METRIC_QUEUED_BINARY] +
                        gauges[METRIC_QUEUED_PHONE] +
                        gauges[METRIC_QUEUED_OTHER];
    v[HISTORY_RESIDENT] = now->process->values[PROCESS_RESIDENT_BYTES];
    if (h->taken > 0 && now->now_ms > h->taken_ms)
        put_rates(h, now, sample);
    h->taken++;
    h->taken_ms = now->now_ms;
    h->cpu_us = now->process->values[PROCESS_CPU_US];
    h->sum = *now->sum;
}

static size_t count_of(const struct history *h)
{
    return h->taken < HISTORY_SAMPLES ? h->taken : HISTORY_SAMPLES;
}

const struct history_sample *history_latest(const struct history *h)
{
    return h->taken == 0 ? NULL : &h->samples[(h->taken - 1) % HISTORY_SAMPLES];
}

static void render_column(
    const struct history *h, enum history_column column, struct text *ret)
{
    size_t count = count_of(h);

    text_addf(ret, ",\"%s\":[", columns[column].member);
    for (size_t i = 0; i < count; i++) {
        size_t at = (h->taken - count + i) % HISTORY_SAMPLES;
        uint64_t value = h->samples[at].values[column];

        if (i > 0)
            text_add_char(ret, ',');
        if (value == HISTORY_NONE) {
            text_add_str(ret, "null");
        } else {
            decimal_add(ret, value, columns[column].decimals);
        }
    }
    text_add_char(ret, ']');
}

void history_render(const struct history *h, struct text *ret)
{
    text_add_str(ret, "{\"interval_seconds\":");
    decimal_add(ret, HISTORY_INTERVAL_MS, 3);
    for (size_t i = 0; i < HISTORY_COLUMN_COUNT; i++)
        render_column(h, (enum history_column)i, ret);
    text_add_char(ret, '}');
}
