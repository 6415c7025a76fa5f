#include "posture/report.h"

#include <assert.h>
#include <string.h>

#include "base/logfmt.h"
#include "base/utf8.h"

static const char *const platforms[POSTURE_PLATFORM_COUNT] = {
    [POSTURE_PLATFORM_BARE] = "bare",
    [POSTURE_PLATFORM_DOCKER] = "docker",
    [POSTURE_PLATFORM_PODMAN] = "podman",
    [POSTURE_PLATFORM_KUBERNETES] = "kubernetes",
    [POSTURE_PLATFORM_FLY] = "fly",
    [POSTURE_PLATFORM_SYSTEMD] = "systemd",
};

static const char *const modes[] = {
    [POSTURE_MODE_DEVELOPMENT] = "development",
    [POSTURE_MODE_PUBLIC] = "public",
    [POSTURE_MODE_PRODUCTION] = "production",
};

static const char *const verdicts[] = {
    [POSTURE_PASS] = "pass",
    [POSTURE_FAIL] = "fail",
    [POSTURE_UNKNOWN] = "unknown",
    [POSTURE_NOT_APPLICABLE] = "not-applicable",
    [POSTURE_WAIVED] = "waived",
    [POSTURE_ENFORCED] = "enforced",
};

static const char *const phases[] = {
    [POSTURE_PHASE_BOOT] = "boot",
    [POSTURE_PHASE_BOUND] = "bound",
    [POSTURE_PHASE_SEALED] = "sealed",
};

static const char *const actions[] = {
    [POSTURE_ACTION_NONE] = "none",
    [POSTURE_ACTION_WARN] = "warn",
    [POSTURE_ACTION_REFUSE] = "refuse",
};

const char *posture_platform_name(enum posture_platform platform)
{
    return platforms[platform];
}

const char *posture_mode_name(enum posture_mode mode)
{
    return modes[mode];
}

const char *posture_verdict_name(enum posture_verdict verdict)
{
    return verdicts[verdict];
}

const char *posture_version(void)
{
    return VERSION;
}

/* Counts what the whole text needs; writes what fits. */
struct sink {
    char *buf;
    size_t size;
    size_t need;
};

static void put_char(struct sink *s, char c)
{
    if (s->size > 0 && s->need < s->size - 1)
        s->buf[s->need] = c;
    s->need++;
}

static struct sink sink_over(char *buf, size_t size)
{
    struct sink s = {.size = size};

    s.buf = buf;
    return s;
}

static void put(struct sink *s, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(s, *text);
}

static size_t finish(struct sink *s)
{
    if (s->size > 0)
        s->buf[s->need < s->size ? s->need : s->size - 1] = '\0';
    return s->need;
}

/* A value is shortened to so many bytes if it would not fit escaped. */
enum { LOGFMT_FIELD_MAX = 3600, LOGFMT_VALUE_MAX = LOGFMT_FIELD_MAX / 4 - 40 };

static void put_logfmt(struct sink *s, const char *key, const char *value)
{
    char field[LOGFMT_FIELD_MAX];
    struct text t = text_over(field, sizeof(field));
    struct span whole = span_str(value);

    if (whole.len == 0)
        return;
    if (s->need > 0)
        put_char(s, ' ');
    logfmt_add(&t, key, whole);
    if (t.cut) {
        t = text_over(field, sizeof(field));
        logfmt_add(&t, key, span_of(whole.ptr, LOGFMT_VALUE_MAX));
    }
    put(s, field);
}

size_t posture_finding_logfmt(
    const struct posture_finding *f, char *buf, size_t size)
{
    struct sink s = sink_over(buf, size);
    const struct {
        const char *key;
        const char *value;
    } fields[] = {
        {"check", f->id},
        {"err", f->sentinel},
        {"verdict", verdicts[f->verdict]},
        {"action", actions[f->action]},
        {"object", f->object},
        {"observed", f->observed},
        {"expected", f->expected},
        {"reason", f->reason},
        {"fix", f->fix},
        {"impact", f->impact},
        {"runbook", f->action == POSTURE_ACTION_NONE ? "" : f->runbook},
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        put_logfmt(&s, fields[i].key, fields[i].value);
    return finish(&s);
}

static void put_json_ascii(struct sink *s, char c)
{
    static const char hex[] = "0123456789abcdef";

    if (c == '"' || c == '\\') {
        put_char(s, '\\');
        put_char(s, c);
    } else if (c < 0x20 || c == 0x7f) {
        put(s, "\\u00");
        put_char(s, hex[c >> 4]);
        put_char(s, hex[c & 0xf]);
    } else {
        put_char(s, c);
    }
}

/* RFC 8259 section 7; bytes that are no UTF-8 become U+FFFD. */
static void put_json_text(struct sink *s, const char *text)
{
    struct span left = span_str(text);

    put_char(s, '"');
    while (left.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_next(left, &code);

        if (len == 0) {
            put(s, "\\ufffd");
            len = 1;
        } else if (len == 1) {
            put_json_ascii(s, (char)left.ptr[0]);
        } else {
            for (size_t i = 0; i < len; i++)
                put_char(s, (char)left.ptr[i]);
        }
        left = span_from(left, len);
    }
    put_char(s, '"');
}

static void put_member(
    struct sink *s, const char *before, const char *name, const char *value)
{
    put(s, before);
    put_char(s, '"');
    put(s, name);
    put(s, "\":");
    put_json_text(s, value);
}

static void put_number(
    struct sink *s, const char *before, const char *name, size_t value)
{
    char digits[64];

    (void)text_format(
        digits, sizeof(digits), "%s\"%s\":%zu", before, name, value);
    put(s, digits);
}

static void put_finding(struct sink *s, const struct posture_finding *f)
{
    put_member(s, "{", "id", f->id);
    put_member(s, ",", "sentinel", f->sentinel);
    put_member(s, ",", "verdict", verdicts[f->verdict]);
    put_member(s, ",", "action", actions[f->action]);
    put_member(s, ",", "object", f->object);
    put_member(s, ",", "observed", f->observed);
    put_member(s, ",", "expected", f->expected);
    put_member(s, ",", "reason", f->reason);
    put_member(s, ",", "fix", f->fix);
    put_member(s, ",", "impact", f->impact);
    put_member(s, ",", "runbook", f->runbook);
    put_number(s, ",", "errno", (size_t)f->error_number);
    put_char(s, '}');
}

size_t posture_report_json(
    const struct posture_report *report, char *buf, size_t size)
{
    struct sink s = sink_over(buf, size);

    put_number(&s, "{", "schema", 1);
    put_member(&s, ",", "tool", "posture");
    put_member(&s, ",", "version", VERSION);
    put_member(&s, ",", "mode", modes[report->mode]);
    put_member(&s, ",", "platform", platforms[report->platform]);
    put_member(&s, ",", "phase", phases[report->phase]);
    put_number(&s, ",", "catalogue", report->catalogue);
    put_member(&s, ",", "action", actions[posture_report_action(report)]);
    put_member(&s, ",", "notice", report->notice);
    put(&s, ",\"findings\":[");
    for (size_t i = 0; i < report->count; i++) {
        if (i > 0)
            put_char(&s, ',');
        put_finding(&s, &report->findings[i]);
    }
    put(&s, "]");
    put_number(&s, ",\"counts\":{", "refuse",
        posture_report_actions(report, POSTURE_ACTION_REFUSE));
    put_number(
        &s, ",", "warn", posture_report_actions(report, POSTURE_ACTION_WARN));
    put_number(
        &s, ",", "none", posture_report_actions(report, POSTURE_ACTION_NONE));
    put(&s, "}}");
    return finish(&s);
}
