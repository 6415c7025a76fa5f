#include "relay/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"

/* ---- rendering ---- */

static const char *render(enum log_format format, const struct log_event *event)
{
    static char line[LOG_LINE_MAX + 1];
    size_t len = log_render(line, format, event);

    assert_true(len < LOG_LINE_MAX);
    line[len] = '\0';
    return line;
}

#define EVENT(...)                                                             \
    (&(struct log_event){.level = LOG_WARN,                                    \
        .msg = "two words",                                                    \
        .fields = (const struct log_field[]){__VA_ARGS__},                     \
        .count = sizeof((const struct log_field[]){__VA_ARGS__}) /             \
                 sizeof(struct log_field)})

static void a_line_as_documented(void **state)
{
    const char *line = render(LOG_AS_TEXT,
        EVENT(LOG_TEXT(LOG_SERVER_ID, "s"), LOG_INT(LOG_CLOSE_CODE, 1001)));
    int year = 0;
    int end = 0;

    (void)state;
    assert_int_equal(
        sscanf(line, "time=%d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%n", &year, &end),
        1);
    assert_true(year > 2000 && end == 28);
    assert_non_null(strstr(
        line, " level=WARN msg=\"two words\" server_id=s close_code=1001\n"));
}

/* The offset is said, and the time is that of the zone: it names the same
 * moment whatever the offset. */
static void the_time_in_other_zones(void **state)
{
    static const struct {
        int zone_s;
        const char *said;
    } cases[] = {
        {0, "Z"},
        {19800, "+05:30"},
        {-12600, "-03:30"},
        {50400, "+14:00"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct log_event event = *EVENT(LOG_TEXT(LOG_ERR, "x"));
        struct tm tm = {.tm_sec = 0};
        time_t now = time(NULL);
        const char *line = NULL;
        const char *end = NULL;

        event.zone_s = cases[i].zone_s;
        line = render(LOG_AS_TEXT, &event);
        end = strptime(line, "time=%Y-%m-%dT%H:%M:%S", &tm);
        assert_non_null(end);
        assert_memory_equal(end + 4, cases[i].said, strlen(cases[i].said));
        assert_int_equal(end[4 + strlen(cases[i].said)], ' ');
        assert_in_range(timegm(&tm) - cases[i].zone_s, now, now + 3600);
    }
}

static void the_same_line_as_json(void **state)
{
    const char *line = render(
        LOG_AS_JSON, EVENT(LOG_TEXT(LOG_SERVER_ID, "s \"q\"\n"),
                         LOG_FIELD(LOG_DEVICE_NAME, LIT("\xff")),
                         LOG_TEXT(LOG_N, "7"), LOG_INT(LOG_CLOSE_CODE, -1001)));
    int year = 0;
    int end = 0;

    (void)state;
    assert_int_equal(
        sscanf(line, "{\"time\":\"%d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%n", &year,
            &end),
        1);
    assert_true(year > 2000 && end == 32);
    assert_non_null(strstr(line,
        "\",\"level\":\"WARN\",\"msg\":\"two words\",\"server_id\":"
        "\"s \\\"q\\\"\\n\",\"device_name\":\"\\ufffd\",\"n\":\"7\","
        "\"close_code\":-1001}\n"));
}

static void what_was_suppressed_is_said_first(void **state)
{
    struct log_event event = *EVENT(LOG_TEXT(LOG_ERR, "x"));

    (void)state;
    event.suppressed = 5;
    assert_non_null(strstr(render(LOG_AS_TEXT, &event),
        " msg=\"two words\" suppressed=5 err=x\n"));
    assert_non_null(strstr(render(LOG_AS_JSON, &event),
        ",\"msg\":\"two words\",\"suppressed\":5,\"err\":\"x\"}\n"));
}

/* At every length around the bound, with every kind of escape at the edge:
 * the line ends as it must, and what was begun is closed. */
static void a_long_line_is_cut_and_says_so(void **state)
{
    static char value[LOG_LINE_MAX];
    static const char edges[] = {'a', '"', ' ', '\x01', '\xff'};

    (void)state;
    for (size_t i = 0; i < 80 * ARRAY_LEN(edges); i++) {
        size_t len = LOG_LINE_MAX - 160 + i / ARRAY_LEN(edges);
        const char *line = NULL;
        const struct log_event *event =
            EVENT(LOG_FIELD(LOG_ERR, span_of(value, len)),
                LOG_INT(LOG_CLOSE_CODE, 1001), LOG_TEXT(LOG_N, "z"));
        bool cut = false;

        memset(value, 'a', sizeof(value));
        value[len - 1] = edges[i % ARRAY_LEN(edges)];
        line = render(LOG_AS_JSON, event);
        cut = strstr(line, ",\"n\":\"z\"}\n") == NULL;
        assert_int_equal(cut, strstr(line, ",\"cut\":true}\n") != NULL);
        assert_true(!cut || strstr(line, "\",\"cut\":") != NULL ||
                    strstr(line, ":1001,\"cut\":") != NULL);
        line = render(LOG_AS_TEXT, event);
        cut = strstr(line, " n=z\n") == NULL;
        assert_int_equal(cut, strstr(line, " cut=1\n") != NULL);
    }
}

/* ---- writing ---- */

enum { READ_MAX = 1 << 20 };

struct reader {
    int fds[2];
    struct log log;
    char *text; /* READ_MAX bytes */
};

static void start(struct reader *r, enum log_format format)
{
    static char text[READ_MAX];

    r->text = text;
    assert_int_equal(pipe2(r->fds, O_CLOEXEC), 0);
    assert_true(fcntl(r->fds[1], F_SETPIPE_SZ, READ_MAX) >= 0);
    assert_int_equal(log_init(&r->log, format, r->fds[1]), 0);
    log_install(&r->log);
}

/* Everything that was written, as text. */
static const char *finish(struct reader *r)
{
    size_t len = 0;
    ssize_t got = 0;

    log_install(NULL);
    log_done(&r->log);
    assert_int_equal(close(r->fds[1]), 0);
    while ((got = read(r->fds[0], r->text + len, READ_MAX - 1 - len)) > 0)
        len += (size_t)got;
    r->text[len] = '\0';
    assert_int_equal(close(r->fds[0]), 0);
    return r->text;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;

    while ((text = strstr(text, what)) != NULL) {
        found++;
        text += strlen(what);
    }
    return found;
}

/* The sum of the values of a key. */
static uint64_t sum(const char *text, const char *key)
{
    uint64_t total = 0;

    while ((text = strstr(text, key)) != NULL) {
        uint64_t value = 0;

        text += strlen(key);
        assert_int_equal(sscanf(text, "%" SCNu64, &value), 1);
        total += value;
    }
    return total;
}

static void nothing_is_left_out_before_the_limit(void **state)
{
    static struct reader r;

    (void)state;
    start(&r, LOG_AS_TEXT);
    for (size_t i = 0; i < 100; i++)
        log_write(LOG_INFO, "boot", NULL, 0);
    assert_int_equal(log_left_out(&r.log), 0);
    assert_int_equal(count(finish(&r), " msg=boot\n"), 100);
}

static void a_flood_is_thinned_out_and_every_line_is_accounted_for(void **state)
{
    static struct reader r;
    const char *text = NULL;

    (void)state;
    start(&r, LOG_AS_JSON);
    log_limit(&r.log);
    for (size_t i = 0; i < 1000; i++) {
        LOG(LOG_INFO, "flood", LOG_TEXT(LOG_ERR, "x"));
        LOG(LOG_ERROR, "error", LOG_TEXT(LOG_ERR, "x"));
    }
    LOG(LOG_INFO, "other", LOG_TEXT(LOG_ERR, "x"));
    log_tick(&r.log);
    assert_true(log_left_out(&r.log) > 0);
    text = finish(&r);
    assert_int_equal(count(text, "\"error\""), 1000);
    assert_int_equal(count(text, "\"msg\":\"other\""), 1);
    assert_int_equal(count(text, "\"msg\":\"log_suppressed\",\"event\":"
                                 "\"flood\",\"suppressed\":"),
        1);
    assert_int_equal(
        count(text, "\"msg\":\"flood\"") + sum(text, "\"suppressed\":"), 1000);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *flood(void *arg)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        LOG(LOG_INFO, "shared", LOG_TEXT(LOG_ERR, "some value to write"));
        LOG(LOG_INFO, arg, LOG_INT(LOG_CLOSE_CODE, i));
    }
    return NULL;
}

static void threads_write_whole_lines_and_lose_no_count(void **state)
{
    static char names[THREADS][8] = {"one", "two", "three", "four"};
    pthread_t threads[THREADS];
    static struct reader r;
    const char *text = NULL;
    uint64_t left_out = 0;

    (void)state;
    start(&r, LOG_AS_TEXT);
    log_limit(&r.log);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, flood, names[i]), 0);
    }
    for (size_t i = 0; i < 50; i++)
        log_tick(&r.log);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_tick(&r.log);
    left_out = log_left_out(&r.log);
    text = finish(&r);
    assert_int_equal(count(text, "\n"), count(text, "time="));
    assert_int_equal(count(text, "time="), count(text, "\ntime=") + 1);
    assert_int_equal(sum(text, " suppressed="), left_out);
    assert_int_equal(
        count(text, "\n") - count(text, "msg=log_suppressed") + left_out,
        2 * THREADS * ROUNDS);
}

/* Who logs is not held up by who does not read. */
static void a_reader_that_stalls_costs_lines_and_nothing_else(void **state)
{
    static struct reader r;
    static char filler[4096];
    const char *text = NULL;

    (void)state;
    start(&r, LOG_AS_TEXT);
    log_limit(&r.log);
    memset(filler, '\n', sizeof(filler));
    assert_true(fcntl(r.fds[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(r.fds[1], filler, sizeof(filler)) > 0)
        continue;
    assert_true(fcntl(r.fds[1], F_SETFL, 0) == 0);
    for (size_t i = 0; i < 3; i++)
        log_write(LOG_INFO, "stalled", NULL, 0);
    log_tick(&r.log);
    assert_int_equal(log_left_out(&r.log), 3);
    for (size_t pages = 0; pages < 3; pages++) {
        assert_int_equal(
            read(r.fds[0], filler, sizeof(filler)), sizeof(filler));
    }
    log_write(LOG_INFO, "stalled", NULL, 0);
    text = finish(&r);
    assert_int_equal(count(text, " msg=stalled suppressed=3\n"), 1);
    assert_int_equal(count(text, "msg="), 1);
}

RUN_TESTS("log", cmocka_unit_test(a_line_as_documented),
    cmocka_unit_test(the_same_line_as_json),
    cmocka_unit_test(the_time_in_other_zones),
    cmocka_unit_test(what_was_suppressed_is_said_first),
    cmocka_unit_test(a_long_line_is_cut_and_says_so),
    cmocka_unit_test(nothing_is_left_out_before_the_limit),
    cmocka_unit_test(a_flood_is_thinned_out_and_every_line_is_accounted_for),
    cmocka_unit_test(threads_write_whole_lines_and_lose_no_count),
    cmocka_unit_test(a_reader_that_stalls_costs_lines_and_nothing_else));
