#include "relay/metrics.h"

#include <inttypes.h>
#include <string.h>

#define PREFIX "pyrycode_relay_"

static const char *const series[METRIC_COUNT] = {
#define X(name, text) [name] = (text),
    METRIC_LIST(X)
#undef X
};

static const struct {
    const char *name;
    const char *help;
} families[] = {
    {"frames_forwarded_total", "Frames written to the other side."},
    {"grace_expiries_total", "Grace windows that ran out and freed the slot."},
    {"ws_upgrade_attempts_total", "Upgrade attempts by endpoint and outcome."},
    {"register_failures_total", "Registrations that were refused, by reason."},
};

static void add_gauge(
    struct text *out, const char *name, const char *help, uint64_t value)
{
    text_addf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name,
        help, name);
    text_addf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void add_family(struct text *out, const struct metrics *m, size_t family)
{
    const char *name = families[family].name;
    size_t len = strlen(name);

    text_addf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s counter\n",
        name, families[family].help, name);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (strncmp(series[i], name, len) == 0) {
            text_addf(
                out, PREFIX "%s %" PRIu64 "\n", series[i], m->counters[i]);
        }
    }
}

void metrics_render(const struct metrics *m,
    const struct metrics_gauges *gauges, struct text *ret)
{
    add_gauge(ret, "connected_binaries", "Binaries with a live connection.",
        gauges->connected_binaries);
    add_gauge(ret, "connected_phones", "Registered phones.",
        gauges->connected_phones);
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        add_family(ret, m, i);
}
