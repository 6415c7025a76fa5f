#include "bench/load_report.h"

#include "base/json_text.h"
#include "base/text.h"
#include "bench/clock_ns.h"

struct number {
    const char *name;
    double value;
};

static double over(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

static uint64_t growth(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

void load_report_write(const struct load_run *run, FILE *out)
{
    const struct load_options *o = run->options;
    const struct histogram *latency = &run->latency_ns;
    uint64_t done = o->mode == LOAD_CHURN ? run->handshakes : run->messages;
    uint64_t cpu_ns = run->end.cpu_ns - run->begin.cpu_ns;
    uint64_t grown = growth(run->before.pss_bytes, run->end.pss_bytes);
    const struct number numbers[] = {
        {"connections", (double)run->open},
        {"seconds", over(run->measured_ns, CLOCK_NS_PER_SECOND)},
        {"count", (double)done},
        {"per_second", over(done, run->measured_ns) * CLOCK_NS_PER_SECOND},
        {"server_cpu_ns", over(cpu_ns, done)},
        {"server_cpu_share", over(cpu_ns, run->measured_ns)},
        {"own_cpu_ns", over(run->own_cpu_ns, done)},
        {"own_cpu_share", over(run->own_cpu_ns, run->measured_ns)},
        {"pss_bytes", (double)run->end.pss_bytes},
        {"pss_growth_per_connection", over(grown, run->open)},
        {"latency_p50_ns", (double)histogram_quantile(latency, 500)},
        {"latency_p99_ns", (double)histogram_quantile(latency, 990)},
        {"latency_max_ns", (double)latency->largest},
        {"pings", (double)run->host.pings},
    };
    char buffer[512];
    struct text fault = text_over(buffer, sizeof(buffer));

    (void)fprintf(out, "{\"mode\":\"%s\",\"form\":\"%s\"",
        load_options_mode_name(o), load_options_form_name(o));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        (void)fprintf(out, ",\"%s\":%.9g", numbers[i].name, numbers[i].value);
    if (load_run_failed(run)) {
        json_text_add(&fault, span_str(run->fault));
    } else {
        text_add_str(&fault, "null");
    }
    (void)fprintf(out, ",\"fault\":%s}\n", buffer);
}
