#include "relay/metrics_render.h"

#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"

static const struct {
    const char *name;
    const char *type;
    const char *help;
    unsigned decimals; /* of the rendered unit */
} families[METRIC_FAMILY_COUNT] = {
#define X(family, text, why) [family] = {(text), "counter", (why), 0},
    METRIC_COUNTER_LIST(X)
#undef X
#define X(family, text, why)                                                   \
    [family] = {                                                               \
        (text), "gauge", (why), (family) == FAMILY_WORKER_BEAT_AGE ? 3 : 0},
        METRIC_GAUGE_LIST(X)
#undef X
};

static const struct {
    enum metric_family family;
    const char *labels;
} series[METRIC_COUNT] = {
#define X(metric, of, text) [metric] = {.family = (of), .labels = (text)},
    METRIC_LIST(X)
#undef X
};

static const struct {
    enum metric_scale scale;
    const char *labels;
} histograms[METRIC_HISTOGRAM_COUNT] = {
#define X(histogram, of, text) [histogram] = {.scale = (of), .labels = (text)},
    METRIC_HISTOGRAM_LIST(X)
#undef X
};

static const struct {
    const char *name;
    const char *help;
    unsigned decimals; /* of the rendered unit */
} scales[METRIC_SCALE_COUNT] = {
    [SCALE_FRAME_SIZE] = {METRICS_PREFIX "frame_size_bytes",
        "Payload of forwarded frames.", 0},
    [SCALE_FORWARD_LATENCY] = {METRICS_PREFIX "forward_latency_seconds",
        "From the last byte of a frame read to its last byte written.", 9},
    [SCALE_CONNECTION_AGE] = {METRICS_PREFIX "connection_age_seconds",
        "Age of upgraded connections at their end.", 3},
    [SCALE_PUSH_DURATION] = {METRICS_PREFIX "push_duration_seconds",
        "From a binary's wish to the end of its push wake.", 3},
};

static const struct {
    const char *name;
    const char *type;
    const char *help;
    unsigned decimals;
} process_rows[PROCESS_STAT_COUNT] = {
    [PROCESS_CPU_US] = {"process_cpu_seconds_total", "counter",
        "CPU time of the process, user and system.", 6},
    [PROCESS_RESIDENT_BYTES] = {"process_resident_memory_bytes", "gauge",
        "Memory in use that is resident.", 0},
    [PROCESS_VIRTUAL_BYTES] = {"process_virtual_memory_bytes", "gauge",
        "Address space in use.", 0},
    [PROCESS_OPEN_FDS] = {"process_open_fds", "gauge", "Open descriptors.", 0},
    [PROCESS_MAX_FDS] = {"process_max_fds", "gauge",
        "Descriptors that may be open: the soft limit.", 0},
    [PROCESS_START_MS] = {"process_start_time_seconds", "gauge",
        "Start of the process since the epoch.", 3},
};

static void add_head(
    struct text *out, const char *name, const char *type, const char *help)
{
    text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* name_suffix{labels}, or without labels. */
static void add_name(
    struct text *out, const char *name, const char *suffix, const char *labels)
{
    text_add_str(out, name);
    text_add_str(out, suffix);
    if (labels[0] != '\0') {
        text_add_char(out, '{');
        text_add_str(out, labels);
        text_add_char(out, '}');
    }
    text_add_char(out, ' ');
}

static void add_value(struct text *out, uint64_t value, unsigned decimals)
{
    decimal_add(out, value, decimals);
    text_add_char(out, '\n');
}

static void add_family(
    struct text *out, const struct metrics_sum *sum, enum metric_family family)
{
    add_head(out, families[family].name, families[family].type,
        families[family].help);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (series[i].family != family)
            continue;
        add_name(out, families[family].name, "", series[i].labels);
        add_value(out, sum->values[i], families[family].decimals);
    }
}

static void add_histogram(struct text *out, const struct metrics_sum *sum,
    enum metric_histogram which)
{
    const struct metrics_buckets *b = &sum->histograms[which];
    enum metric_scale scale = histograms[which].scale;
    struct metrics_bounds bounds = metrics_scale_bounds(scale);
    const char *name = scales[scale].name;
    const char *labels = histograms[which].labels;
    uint64_t count = 0;

    for (size_t i = 0; i <= bounds.count; i++) {
        count += b->counts[i];
        text_add_str(out, name);
        text_add_str(out, "_bucket{");
        text_add_str(out, labels);
        text_add_str(out, labels[0] == '\0' ? "le=\"" : ",le=\"");
        if (i < bounds.count) {
            decimal_add(out, bounds.bounds[i], scales[scale].decimals);
        } else {
            text_add_str(out, "+Inf");
        }
        text_addf(out, "\"} %" PRIu64 "\n", count);
    }
    add_name(out, name, "_sum", labels);
    add_value(out, b->sum, scales[scale].decimals);
    add_name(out, name, "_count", labels);
    add_value(out, count, 0);
}

static void add_scale(
    struct text *out, const struct metrics_sum *sum, enum metric_scale scale)
{
    add_head(out, scales[scale].name, "histogram", scales[scale].help);
    for (size_t i = 0; i < METRIC_HISTOGRAM_COUNT; i++) {
        if (histograms[i].scale == scale)
            add_histogram(out, sum, (enum metric_histogram)i);
    }
}

/* What could not be read is left out rather than said to be 0. */
static void add_process(struct text *out, const struct process_stats *stats)
{
    for (size_t i = 0; i < PROCESS_STAT_COUNT; i++) {
        if (stats->values[i] == PROCESS_STAT_UNKNOWN)
            continue;
        add_head(out, process_rows[i].name, process_rows[i].type,
            process_rows[i].help);
        add_name(out, process_rows[i].name, "", "");
        add_value(out, stats->values[i], process_rows[i].decimals);
    }
}

/* A label's value: \, " and newline are escaped, all else stands. */
static void add_label_value(struct text *out, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            text_add_str(out, "\\n");
            continue;
        }
        if (*c == '\\' || *c == '"')
            text_add_char(out, '\\');
        text_add_char(out, *c);
    }
}

static void add_posture(struct text *out, const struct metrics_view *view)
{
    static const char name[] = METRICS_PREFIX "posture_invariant";

    if (view->posture_count == 0)
        return;
    add_head(out, name, "gauge",
        "1 for the verdict of each invariant of the latest posture check.");
    for (size_t i = 0; i < view->posture_count; i++) {
        text_addf(out, "%s{id=\"%s\",verdict=\"%s\"} 1\n", name,
            view->posture[i].id, view->posture[i].verdict);
    }
}

static void add_build_info(struct text *out, const char *version)
{
    static const char name[] = METRICS_PREFIX "build_info";

    add_head(out, name, "gauge", "1, labelled with the version that runs.");
    text_addf(out, "%s{version=\"", name);
    add_label_value(out, version);
    text_add_str(out, "\"} 1\n");
}

/* Those exist only with push. */
static bool is_of_push(enum metric_family family)
{
    return family == FAMILY_PUSH_WAKES || family == FAMILY_PUSH_REFUSED ||
           family == FAMILY_PUSH_RETRIES || family == FAMILY_PUSH_DEATHS ||
           family == FAMILY_PUSH_UNDER_WAY;
}

void metrics_render(const struct metrics_view *view, struct text *ret)
{
    for (size_t i = 0; i < METRIC_FAMILY_COUNT; i++) {
        if (view->push || !is_of_push((enum metric_family)i))
            add_family(ret, view->sum, (enum metric_family)i);
    }
    for (size_t i = 0; i < METRIC_SCALE_COUNT; i++) {
        if (view->push || i != SCALE_PUSH_DURATION)
            add_scale(ret, view->sum, (enum metric_scale)i);
    }
    add_posture(ret, view);
    add_build_info(ret, view->version);
    if (view->process != NULL)
        add_process(ret, view->process);
}
