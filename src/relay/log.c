#include "relay/log.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/logfmt.h"

static const char *const keys[] = {
#define X(name, text) [name] = (text),
    LOG_KEY_LIST(X)
#undef X
};

static const char *const levels[] = {
    [LOG_INFO] = "INFO",
    [LOG_WARN] = "WARN",
    [LOG_ERROR] = "ERROR",
};

/* RFC 3339 in the local zone, milliseconds; Z for UTC. */
static void add_time(struct text *line)
{
    struct timespec now;
    struct tm tm;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &tm) == NULL)
        tm = (struct tm){.tm_year = 70, .tm_mday = 1};
    text_addf(line, "time=%04d-%02d-%02dT%02d:%02d:%02d.%03ld",
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
        tm.tm_sec, now.tv_nsec / 1000000);
    if (tm.tm_gmtoff == 0) {
        text_add_char(line, 'Z');
        return;
    }

    long minutes = tm.tm_gmtoff / 60;
    long size = minutes < 0 ? -minutes : minutes;

    text_addf(
        line, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', size / 60, size % 60);
}

size_t log_render(char buf[LOG_LINE_MAX], enum log_level level, const char *msg,
    const struct log_field *fields, size_t count)
{
    static const char cut[] = " cut=1";
    struct text line = text_over(buf, LOG_LINE_MAX - sizeof(cut));

    assert(level < ARRAY_LEN(levels));
    add_time(&line);
    logfmt_add_raw(&line, "level", levels[level]);
    logfmt_add(&line, "msg", span_str(msg));
    for (size_t i = 0; i < count; i++) {
        assert(fields[i].key < ARRAY_LEN(keys));
        logfmt_add(&line, keys[fields[i].key], fields[i].value);
    }
    line.cap = LOG_LINE_MAX;
    if (line.cut)
        text_add_str(&line, cut);
    text_add_char(&line, '\n');
    return line.len;
}

void log_write(enum log_level level, const char *msg,
    const struct log_field *fields, size_t count)
{
    char buf[LOG_LINE_MAX];
    size_t len = log_render(buf, level, msg, fields, count);

    IGNORE(write(STDERR_FILENO, buf, len) < 0, "there is nowhere to say so");
}

struct log_number log_number(int64_t value)
{
    struct log_number number = {{0}};

    (void)text_format(
        number.text, sizeof(number.text), "%lld", (long long)value);
    return number;
}
