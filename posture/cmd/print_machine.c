/* JUnit XML, SARIF 2.1.0 and the Prometheus text format. */
#include <string.h>

#include "base/utf8.h"
#include "posture/cmd/print.h"

/* XML 1.0 section 2.2: no control but tab and newline may appear at all. */
static void put_xml(const char *text, FILE *out)
{
    struct span left = span_str(text);

    while (left.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_next(left, &code);

        if (len == 0 || code < 0x20 || code == 0x7f || code == 0xfffe ||
            code == 0xffff) {
            (void)fputc('?', out);
        } else if (code == '&') {
            (void)fputs("&amp;", out);
        } else if (code == '<') {
            (void)fputs("&lt;", out);
        } else if (code == '>') {
            (void)fputs("&gt;", out);
        } else if (code == '"') {
            (void)fputs("&quot;", out);
        } else {
            (void)fwrite(left.ptr, 1, len, out);
        }
        left = span_from(left, len == 0 ? 1 : len);
    }
}

/* RFC 8259 section 7, and the label values of Prometheus, whose escapes are
 * among JSON's as long as nothing else is escaped. */
static void put_quoted(const char *text, FILE *out)
{
    struct span left = span_str(text);

    (void)fputc('"', out);
    while (left.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_next(left, &code);

        if (len == 0 || code < 0x20 || code == 0x7f) {
            (void)fputc('?', out);
        } else if (code == '"' || code == '\\') {
            (void)fputc('\\', out);
            (void)fputc((int)code, out);
        } else {
            (void)fwrite(left.ptr, 1, len, out);
        }
        left = span_from(left, len == 0 ? 1 : len);
    }
    (void)fputc('"', out);
}

static size_t count_unknown(const struct posture_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < posture_report_count(report); i++) {
        enum posture_verdict verdict =
            posture_report_finding(report, i)->verdict;

        count += verdict == POSTURE_NOT_APPLICABLE;
    }
    return count;
}

/* A warning is a test that passed and says something. */
bool print_junit(const struct posture_report *report, FILE *out)
{
    (void)fprintf(out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuite name=\"posture\" tests=\"%zu\" failures=\"%zu\" "
        "skipped=\"%zu\">\n",
        posture_report_count(report),
        posture_report_actions(report, POSTURE_ACTION_REFUSE),
        count_unknown(report));
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        (void)fprintf(
            out, "  <testcase classname=\"posture\" name=\"%s", f->id);
        if (f->object[0] != '\0') {
            (void)fputs(" ", out);
            put_xml(f->object, out);
        }
        (void)fputs("\">", out);
        if (f->action == POSTURE_ACTION_REFUSE) {
            (void)fprintf(out, "<failure type=\"%s\" message=\"", f->sentinel);
            put_xml(f->reason, out);
            (void)fputs("\">observed: ", out);
            put_xml(f->observed, out);
            (void)fputs("\nexpected: ", out);
            put_xml(f->expected, out);
            (void)fputs("\nfix: ", out);
            put_xml(f->fix, out);
            (void)fputs("</failure>", out);
        } else if (f->verdict == POSTURE_NOT_APPLICABLE) {
            (void)fputs("<skipped message=\"", out);
            put_xml(f->observed, out);
            (void)fputs("\"/>", out);
        } else if (f->action == POSTURE_ACTION_WARN) {
            (void)fprintf(out, "<system-err>%s: ", f->sentinel);
            put_xml(f->reason, out);
            (void)fputs("</system-err>", out);
        }
        (void)fputs("</testcase>\n", out);
    }
    (void)fputs("</testsuite>\n", out);
    return true;
}

static void put_rules(FILE *out)
{
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const struct posture_invariant *row = posture_invariant_at(i);

        (void)fprintf(out,
            "%s{\"id\":\"%s\",\"name\":\"%s\",\"shortDescription\":{\"text\":",
            i == 0 ? "" : ",", row->sentinel, row->id);
        put_quoted(row->rule, out);
        (void)fputs("},\"fullDescription\":{\"text\":", out);
        put_quoted(row->why, out);
        (void)fputs("}}", out);
    }
}

/* What a policy waives, SARIF section 3.35. */
static void put_suppression(const struct posture_finding *f, FILE *out)
{
    if (f->verdict != POSTURE_WAIVED)
        return;
    (void)fputs(
        ",\"suppressions\":[{\"kind\":\"external\",\"justification\":", out);
    put_quoted(f->reason, out);
    (void)fputs("}]", out);
}

/* SARIF 2.1.0 (OASIS): the findings that ask for something. */
bool print_sarif(const struct posture_report *report, FILE *out)
{
    const char *comma = "";

    (void)fprintf(out,
        "{\"version\":\"2.1.0\",\"$schema\":\"https://json.schemastore.org/"
        "sarif-2.1.0.json\",\"runs\":[{\"tool\":{\"driver\":{\"name\":"
        "\"posture\",\"version\":\"%s\",\"rules\":[",
        posture_version());
    put_rules(out);
    (void)fputs("]}},\"results\":[", out);
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (f->action == POSTURE_ACTION_NONE)
            continue;
        (void)fprintf(out,
            "%s{\"ruleId\":\"%s\",\"level\":\"%s\",\"message\":{\"text\":",
            comma, f->sentinel,
            f->action == POSTURE_ACTION_REFUSE ? "error" : "warning");
        put_quoted(f->reason, out);
        (void)fputs("},\"properties\":{\"object\":", out);
        put_quoted(f->object, out);
        (void)fputs(",\"observed\":", out);
        put_quoted(f->observed, out);
        (void)fputs(",\"expected\":", out);
        put_quoted(f->expected, out);
        (void)fputs(",\"fix\":", out);
        put_quoted(f->fix, out);
        (void)fputs(",\"runbook\":", out);
        put_quoted(f->runbook, out);
        (void)fputs("}", out);
        put_suppression(f, out);
        (void)fputs("}", out);
        comma = ",";
    }
    (void)fputs("]}]}\n", out);
    return true;
}

/* The worst verdict of each row: one series a row. */
static const struct posture_finding *worst_of(
    const struct posture_report *report, const char *id)
{
    const struct posture_finding *worst = NULL;

    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (strcmp(f->id, id) == 0 &&
            (worst == NULL || f->action > worst->action))
            worst = f;
    }
    return worst;
}

bool print_prometheus(const struct posture_report *report, FILE *out)
{
    static const char *const actions[] = {[POSTURE_ACTION_NONE] = "none",
        [POSTURE_ACTION_WARN] = "warn",
        [POSTURE_ACTION_REFUSE] = "refuse"};

    (void)fputs("# HELP posture_invariant Verdict of an invariant at the last "
                "check.\n# TYPE posture_invariant gauge\n",
        out);
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const char *id = posture_invariant_at(i)->id;
        const struct posture_finding *f = worst_of(report, id);

        if (f == NULL)
            continue;
        (void)fprintf(out,
            "posture_invariant{id=\"%s\",verdict=\"%s\",action=\"%s\"} 1\n", id,
            posture_verdict_name(f->verdict), actions[f->action]);
    }
    (void)fputs("# HELP posture_findings Findings of the last check by what "
                "they ask for.\n# TYPE posture_findings gauge\n",
        out);
    for (unsigned i = 0; i < ARRAY_LEN(actions); i++) {
        (void)fprintf(out, "posture_findings{action=\"%s\"} %zu\n", actions[i],
            posture_report_actions(report, (enum posture_action)i));
    }
    return true;
}
