/*
 * Print what the status page is made of, for tests in a browser:
 * status_driver html | policy | json | empty
 * json is a quarter of an hour of a made-up relay, empty one just started.
 */
#include <stdio.h>
#include <string.h>

#include "relay/status_page.h"

enum { EPOCH_MS_OVER_1000 = 1790000000 };

static struct metrics counted;
static struct history history;
static char json[STATUS_JSON_MAX];

static const struct process_stats process = {
    .values =
        {
            [PROCESS_CPU_US] = 12345678,
            [PROCESS_RESIDENT_BYTES] = 48U << 20,
            [PROCESS_VIRTUAL_BYTES] = 256U << 20,
            [PROCESS_OPEN_FDS] = 71,
            [PROCESS_MAX_FDS] = 65536,
            [PROCESS_START_MS] = PROCESS_STAT_UNKNOWN,
        },
};

static const struct posture_finding findings[] = {
    {"config", "ErrInvalidConfig", POSTURE_ERR_INVALID_CONFIG, POSTURE_PASS,
        POSTURE_ACTION_NONE, 0, "", "3 variables, 12 options", "valid values",
        "", "", "", ""},
    {"running-as-root", "ErrRunningAsRoot", POSTURE_ERR_RUNNING_AS_ROOT,
        POSTURE_FAIL, POSTURE_ACTION_WARN, 0, "", "effective uid 0",
        "an unprivileged uid", "a fault in the relay is a fault as root",
        "docker run --user 65532:65532 ...",
        "ports below 1024 need a "
        "capability",
        "https://example.com/runbook.md#running-as-root"},
    {"writable-root", "ErrWritableRoot", POSTURE_ERR_WRITABLE_ROOT,
        POSTURE_WAIVED, POSTURE_ACTION_WARN, 0, "/", "<b>rw</b> & \"quoted\"",
        "read-only", "what runs can be replaced", "docker run --read-only", "",
        ""},
    {"host-namespaces", "ErrHostNamespace", POSTURE_ERR_HOST_NAMESPACE,
        POSTURE_NOT_APPLICABLE, POSTURE_ACTION_NONE, 0, "", "", "", "", "", "",
        ""},
    {"no-way-back", "ErrPrivilegeRegainable", POSTURE_ERR_PRIVILEGE_REGAINABLE,
        POSTURE_ENFORCED, POSTURE_ACTION_NONE, 0, "",
        "no_new_privs set, bounding set empty", "no way to privileges", "", "",
        "", ""},
};

/* A slow wave between 0 and 100. */
static uint64_t wave(uint64_t i, uint64_t period)
{
    uint64_t at = i % period;

    return 100 * (at < period / 2 ? at : period - at) / (period / 2);
}

static void advance(uint64_t i)
{
    metrics_set(&counted, METRIC_CONNECTED_BINARIES, 12 + i / 40);
    metrics_set(&counted, METRIC_CONNECTED_PHONES, 20 + wave(i, 90) / 4);
    metrics_set(&counted, METRIC_QUEUED_PHONE, (wave(i, 50) + 1) << 14);
    metrics_add(&counted, METRIC_PHONE_TO_BINARY, 150 + 10 * wave(i, 60));
    metrics_add(&counted, METRIC_BINARY_TO_PHONE, 900 + 35 * wave(i, 45));
    metrics_add(&counted, METRIC_RECEIVED_PHONE, 90000 + 5000 * wave(i, 60));
    metrics_add(&counted, METRIC_SENT_PHONE, 400000 + 9000 * wave(i, 45));
    metrics_add(&counted, METRIC_CLIENT_404, i % 17 == 0);
    if (i / 30 == 3)
        return; /* nobody spoke: the latency has a gap */
    for (uint64_t j = 0; j < 100; j++) {
        metrics_observe(&counted, HISTOGRAM_LATENCY_PHONE_TO_BINARY,
            j < 98 ? 30000 + 400 * wave(i, 70) : 800000 + 9000 * wave(i, 30));
    }
}

static void sample(uint64_t i, struct metrics_sum *ret)
{
    struct process_stats then = process;

    then.values[PROCESS_CPU_US] += i * 400000 + 3000 * wave(i, 45);
    then.values[PROCESS_RESIDENT_BYTES] += wave(i, 80) << 17;
    *ret = (struct metrics_sum){.values = {0}};
    metrics_sum_add(ret, &counted);
    history_take(&history, &(struct history_now){
                               .now_ms = 1000 + i * HISTORY_INTERVAL_MS,
                               .epoch_ms = EPOCH_MS_OVER_1000 * UINT64_C(1000) +
                                           i * HISTORY_INTERVAL_MS,
                               .sum = ret,
                               .process = &then,
                           });
}

static int print(struct span text)
{
    return fwrite(text.ptr, 1, text.len, stdout) == text.len ? 0 : 1;
}

static int print_json(uint64_t samples)
{
    static struct metrics_sum sum;
    const struct posture_finding *list[ARRAY_LEN(findings)];
    struct text t = text_over(json, sizeof(json));

    for (size_t i = 0; i < ARRAY_LEN(findings); i++)
        list[i] = &findings[i];
    metrics_set(&counted, METRIC_WORKERS, 2);
    metrics_set(&counted, METRIC_WORKERS_ALIVE, 2);
    metrics_set(&counted, METRIC_CERTIFICATE_EXPIRY,
        (uint64_t)EPOCH_MS_OVER_1000 + (uint64_t)61 * 86400);
    metrics_set(&counted, METRIC_CERTIFICATE_NEXT_TRY,
        (uint64_t)EPOCH_MS_OVER_1000 + (uint64_t)31 * 86400);
    metrics_set(&counted, METRIC_CONNECTIONS_LIMIT, 65472);
    metrics_set(&counted, METRIC_CONNECTIONS_PHONE, 31);
    metrics_set(&counted, METRIC_CONNECTIONS_BINARY, 16);
    for (uint64_t i = 0; i < samples; i++) {
        if (i > 0)
            advance(i);
        sample(i, &sum);
    }
    status_page_json(
        &(struct status_view){
            .version = "1.4.0",
            .state = "ready",
            .mode = "development",
            .epoch_ms = history_latest(&history)->values[HISTORY_AT],
            .uptime_ms = samples * HISTORY_INTERVAL_MS + 93600123,
            .sum = &sum,
            .process = &process,
            .history = &history,
            .findings = list,
            .finding_count = ARRAY_LEN(list),
        },
        &t);
    return t.cut ? 1 : print(span_of(t.ptr, t.len));
}

int main(int argc, char *argv[])
{
    const char *what = argc == 2 ? argv[1] : "";

    if (strcmp(what, "html") == 0)
        return print(status_page_html());
    if (strcmp(what, "policy") == 0)
        return print(span_str(status_page_policy()));
    if (strcmp(what, "json") == 0)
        return print_json(HISTORY_SAMPLES + 20);
    if (strcmp(what, "empty") == 0)
        return print_json(1);
    return 2;
}
