#include "relay/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/civil_time.h"
#include "base/json_text.h"
#include "base/logfmt.h"

/* The one mutable global: a process has one stderr, and lines are logged where
 * no context reaches, a signal handler among them.  Set at boot. */
static struct log *_Atomic installed;

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

/* The offset of local time now.  Takes a lock of the C library. */
static int local_zone_s(void)
{
    time_t now = time(NULL);
    struct tm tm;

    return localtime_r(&now, &tm) == NULL ? 0 : (int)tm.tm_gmtoff;
}

/* RFC 3339 in that zone, milliseconds; Z for UTC. */
static void add_time(struct text *line, int zone_s)
{
    int minutes = (zone_s < 0 ? -zone_s : zone_s) / 60;
    struct timespec now;
    struct civil_time t;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    t = civil_time_of(now.tv_sec + zone_s);
    text_addf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ld", t.year, t.month,
        t.day, t.hour, t.minute, t.second, now.tv_nsec / 1000000);
    if (zone_s == 0) {
        text_add_char(line, 'Z');
    } else {
        text_addf(line, "%c%02d:%02d", zone_s < 0 ? '-' : '+', minutes / 60,
            minutes % 60);
    }
}

static void add_text_field(
    struct text *line, const char *key, const struct log_field *field)
{
    logfmt_add(line, key, field->value);
}

static void add_json_field(
    struct text *line, const char *key, const struct log_field *field)
{
    text_addf(line, ",\"%s\":", key);
    if (field->is_number) {
        text_add(line, field->value);
    } else {
        json_text_add(line, field->value);
    }
}

/* clang-format off */
static const struct {
    const char *start;  /* before the time */
    const char *time_end;
    void (*add)(
        struct text *line, const char *key, const struct log_field *field);
    const char *cut;    /* said of a line that is */
    const char *end;
} formats[] = {
    [LOG_AS_TEXT] = {"time=", "", add_text_field, " cut=1", "\n"},
    [LOG_AS_JSON] = {"{\"time\":\"", "\"", add_json_field, ",\"cut\":true", "}\n"},
};
/* clang-format on */

/* Only what fits in part may be cut: the key and a number are whole. */
static bool fits(
    const struct text *line, const char *key, const struct log_field *field)
{
    enum { SIGNS = 6 }; /* ,"":"" */
    size_t want = strlen(key) + SIGNS;

    if (field->is_number)
        want += field->value.len;
    return want <= line->cap - 1 - line->len;
}

static void add_field(struct text *line, enum log_format format,
    const char *key, const struct log_field *field)
{
    if (line->cut || !fits(line, key, field)) {
        line->cut = true;
        return;
    }
    formats[format].add(line, key, field);
}

size_t log_render(char buf[LOG_LINE_MAX], enum log_format format,
    const struct log_event *event)
{
    enum { RESERVE = 16 }; /* for the longest cut and end */
    struct text line = text_over(buf, LOG_LINE_MAX - RESERVE);

    assert(event->level < ARRAY_LEN(levels));
    assert(format < ARRAY_LEN(formats));
    text_add_str(&line, formats[format].start);
    add_time(&line, event->zone_s);
    text_add_str(&line, formats[format].time_end);
    add_field(&line, format, "level", &LOG_TEXT(0, levels[event->level]));
    add_field(&line, format, "msg", &LOG_TEXT(0, event->msg));
    if (event->suppressed > 0) {
        add_field(&line, format, keys[LOG_SUPPRESSED],
            &LOG_INT(LOG_SUPPRESSED, (int64_t)event->suppressed));
    }
    for (size_t i = 0; i < event->count; i++) {
        const struct log_field *field = &event->fields[i];

        assert(field->key < ARRAY_LEN(keys));
        add_field(&line, format, keys[field->key], field);
    }
    line.cap = LOG_LINE_MAX;
    if (line.cut)
        text_add_str(&line, formats[format].cut);
    text_add_str(&line, formats[format].end);
    return line.len;
}

static void write_line(
    int fd, enum log_format format, const struct log_event *event)
{
    char buf[LOG_LINE_MAX];
    size_t len = log_render(buf, format, event);
    ssize_t written = 0;

    do {
        written = write(fd, buf, len);
    } while (written < 0 && errno == EINTR);
    IGNORE(written < 0, "there is nowhere to say so");
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Would a line be taken at once?  A pipe that says so takes PIPE_BUF bytes,
 * pipe(7), which a line does not exceed. */
static bool is_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) != 0;
}

/* Under the lock, so that nobody else fills what was found writable. */
static void write_limited(struct log *log, struct log_event *event)
{
    if (!log_flood_admit(&log->flood, event->msg, now_ms(), &event->suppressed))
        return;
    if (is_writable(log->fd)) {
        write_line(log->fd, log->format, event);
    } else {
        log_flood_lost(&log->flood, event->msg, event->suppressed);
    }
}

void log_write(enum log_level level, const char *msg,
    const struct log_field *fields, size_t count)
{
    struct log *log = atomic_load_explicit(&installed, memory_order_acquire);
    struct log_event event = {
        .level = level, .msg = msg, .fields = fields, .count = count};

    event.zone_s =
        log == NULL ? local_zone_s()
                    : atomic_load_explicit(&log->zone_s, memory_order_relaxed);
    if (log == NULL) {
        write_line(STDERR_FILENO, LOG_AS_TEXT, &event);
    } else if (level == LOG_ERROR ||
               !atomic_load_explicit(&log->limited, memory_order_relaxed)) {
        write_line(log->fd, log->format, &event);
    } else {
        (void)pthread_mutex_lock(&log->lock);
        write_limited(log, &event);
        (void)pthread_mutex_unlock(&log->lock);
    }
}

int log_init(struct log *log, enum log_format format, int fd)
{
    *log = (struct log){.format = format, .fd = fd};
    atomic_init(&log->zone_s, local_zone_s());
    return -pthread_mutex_init(&log->lock, NULL);
}

void log_done(struct log *log)
{
    (void)pthread_mutex_destroy(&log->lock);
}

void log_install(struct log *log)
{
    atomic_store_explicit(&installed, log, memory_order_release);
}

void log_limit(struct log *log)
{
    atomic_store_explicit(&log->limited, true, memory_order_relaxed);
}

static void say_left_out(const struct log *log, const char *msg, uint64_t lines)
{
    const struct log_event event = {
        .level = LOG_WARN,
        .msg = "log_suppressed",
        .fields =
            (const struct log_field[]){
                LOG_TEXT(LOG_EVENT, msg),
                LOG_INT(LOG_SUPPRESSED, (int64_t)lines),
            },
        .count = 2,
        .zone_s = atomic_load_explicit(&log->zone_s, memory_order_relaxed),
    };

    write_line(log->fd, log->format, &event);
}

void log_tick(struct log *log)
{
    atomic_store_explicit(&log->zone_s, local_zone_s(), memory_order_relaxed);
    (void)pthread_mutex_lock(&log->lock);
    while (is_writable(log->fd)) {
        uint64_t lines = 0;
        const char *msg = log_flood_take(&log->flood, &lines);

        if (msg == NULL)
            break;
        say_left_out(log, msg, lines);
    }
    (void)pthread_mutex_unlock(&log->lock);
}

uint64_t log_left_out(struct log *log)
{
    uint64_t total = 0;

    (void)pthread_mutex_lock(&log->lock);
    total = log->flood.total;
    (void)pthread_mutex_unlock(&log->lock);
    return total;
}

struct log_number log_number(int64_t value)
{
    struct log_number number = {{0}};

    (void)text_format(
        number.text, sizeof(number.text), "%lld", (long long)value);
    return number;
}
