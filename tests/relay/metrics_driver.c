/*
 * Print a rendering for promtool: every series, each histogram with values,
 * and no two values of a counter alike.
 */
#include <stdio.h>

#include "relay/metrics_render.h"

static struct metrics counted;

static void count_everything(void)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        metrics_add(&counted, (enum metric)i, i);
    for (unsigned i = 0; i < METRIC_HISTOGRAM_COUNT; i++) {
        for (uint64_t value = 1; value < (UINT64_C(1) << 40); value *= 3)
            metrics_observe(&counted, (enum metric_histogram)i, value);
    }
}

int main(void)
{
    static char buf[METRICS_TEXT_MAX];
    static const struct metrics_invariant posture[] = {
        {"config", "pass"}, {"not-root", "fail"}};
    struct metrics_sum sum = {.values = {0}};
    struct process_stats_source source;
    struct process_stats process;
    struct text t = text_over(buf, sizeof(buf));

    count_everything();
    process_stats_open(&source);
    process_stats_read(&source, &process);
    process_stats_close(&source);
    metrics_sum_add(&sum, &counted);
    metrics_render(
        &(struct metrics_view){
            .sum = &sum,
            .process = &process,
            .posture = posture,
            .posture_count = ARRAY_LEN(posture),
            .version = "1.2.3 \"quoted\" \\",
            .push = true,
        },
        &t);
    if (t.cut)
        return 1;
    return fwrite(t.ptr, 1, t.len, stdout) == t.len ? 0 : 1;
}
