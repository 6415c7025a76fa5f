#include "posture/cmd/print.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    print_fn *function;
} formats[] = {
#define X(name, function) {#name, function},
    PRINT_FORMAT_LIST(X)
#undef X
};

print_fn *print_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return formats[i].function;
    }
    return NULL;
}

static bool use_colour(FILE *out)
{
    return isatty(fileno(out)) == 1 &&
           getenv("NO_COLOR") == NULL; /* NOLINT(concurrency-mt-unsafe) */
}

/* Text for a terminal: nothing in it but printable ASCII. */
static void print_safe(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        (void)fputc(*text >= ' ' && *text < 0x7f ? *text : '?', out);
}

static void print_line(const char *name, const char *text, FILE *out)
{
    if (text[0] == '\0')
        return;
    (void)fprintf(out, "    %-9s", name);
    print_safe(text, out);
    (void)fputc('\n', out);
}

static void print_finding(
    const struct posture_finding *f, bool colour, FILE *out)
{
    static const char *const words[] = {[POSTURE_ACTION_NONE] = "",
        [POSTURE_ACTION_WARN] = "WARN",
        [POSTURE_ACTION_REFUSE] = "REFUSE"};
    static const char *const colours[] = {[POSTURE_ACTION_NONE] = "\033[32m",
        [POSTURE_ACTION_WARN] = "\033[33m",
        [POSTURE_ACTION_REFUSE] = "\033[31m"};
    const char *word = f->action == POSTURE_ACTION_NONE
                           ? posture_verdict_name(f->verdict)
                           : words[f->action];

    (void)fprintf(out, "%s%-14s%s %-22s", colour ? colours[f->action] : "",
        word, colour ? "\033[0m" : "", f->id);
    if (f->action == POSTURE_ACTION_NONE) {
        print_safe(f->observed, out);
        (void)fputc('\n', out);
        return;
    }
    (void)fprintf(out, "%s\n", f->sentinel);
    if (f->verdict != POSTURE_FAIL)
        print_line("verdict", posture_verdict_name(f->verdict), out);
    print_line("object", f->object, out);
    print_line("reason", f->reason, out);
    print_line("observed", f->observed, out);
    print_line("expected", f->expected, out);
    print_line("fix", f->fix, out);
    print_line("impact", f->impact, out);
    print_line("runbook", f->runbook, out);
}

static void print_action(const struct posture_report *report,
    enum posture_action action, bool colour, FILE *out)
{
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (f->action == action)
            print_finding(f, colour, out);
    }
}

static void print_sum(const struct posture_report *report, FILE *out)
{
    (void)fprintf(out, "%s mode on %s: %zu refused, %zu warned, %zu fine\n",
        posture_mode_name(posture_report_mode(report)),
        posture_platform_name(posture_report_platform(report)),
        posture_report_actions(report, POSTURE_ACTION_REFUSE),
        posture_report_actions(report, POSTURE_ACTION_WARN),
        posture_report_actions(report, POSTURE_ACTION_NONE));
}

void print_failures(const struct posture_report *report, FILE *out)
{
    bool colour = use_colour(out);

    print_action(report, POSTURE_ACTION_REFUSE, colour, out);
    print_action(report, POSTURE_ACTION_WARN, colour, out);
    print_sum(report, out);
}

/* Failures first. */
bool print_text(const struct posture_report *report, FILE *out)
{
    const char *notice = posture_report_notice(report);
    bool colour = use_colour(out);

    if (notice != NULL)
        (void)fprintf(out, "%s\n", notice);
    print_action(report, POSTURE_ACTION_REFUSE, colour, out);
    print_action(report, POSTURE_ACTION_WARN, colour, out);
    print_action(report, POSTURE_ACTION_NONE, colour, out);
    print_sum(report, out);
    return true;
}

bool print_json(const struct posture_report *report, FILE *out)
{
    size_t len = posture_report_json(report, NULL, 0);
    char *buf = malloc(len + 1);

    if (buf == NULL)
        return false;
    (void)posture_report_json(report, buf, len + 1);
    (void)fprintf(out, "%s\n", buf);
    free(buf);
    return true;
}

bool print_logfmt(const struct posture_report *report, FILE *out)
{
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);
        size_t len = posture_finding_logfmt(f, NULL, 0);
        char *line = malloc(len + 1);

        if (line == NULL)
            return false;
        (void)posture_finding_logfmt(f, line, len + 1);
        (void)fprintf(out, "%s\n", line);
        free(line);
    }
    return true;
}
