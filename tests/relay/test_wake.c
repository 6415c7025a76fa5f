/* Wakes, with a push process that the test plays and clocks that it sets. */
#include "relay/wake.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

#include "cmocka_all.h"

#define WISH "{\"push_wake\":{\"platform\":\"fcm\",\"token\":\"t\"}}"

struct fixture {
    struct stage stage;
    int process; /* the other end; -1: closed */
    int binaries[8];
};

static void open_push(struct fixture *f, const char *const *flags)
{
    int ends[2];

    stage_open(&f->stage, 2, flags);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(wake_open(&f->stage.relay, ends[0]), 0);
    f->process = ends[1];
    for (int i = 0; i < 8; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "sid-%d", i);
        f->binaries[i] = stage_binary(&f->stage, id);
    }
}

static void close_push(struct fixture *f)
{
    for (int i = 0; i < 8; i++)
        (void)close(f->binaries[i]);
    if (f->process >= 0)
        (void)close(f->process);
    wake_close(&f->stage.relay);
    assert_int_equal(wake_count(&f->stage.relay), 0);
    stage_close(&f->stage);
}

static void wish(struct fixture *f, int binary, const char *token)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
        "{\"push_wake\":{\"platform\":\"fcm\",\"token\":\"%s\"}}", token);
    stage_send_text(f->binaries[binary], text);
    stage_run(&f->stage);
}

/* The wake that the process has been handed; its id, 0: none. */
static uint32_t handed(struct fixture *f, const char *token)
{
    static uint8_t bytes[PUSH_MESSAGE_MAX];
    struct push_message message;
    ssize_t len = recv(f->process, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (len < 0 && errno == EAGAIN)
        return 0;
    assert_true(len > 0);
    assert_true(push_message_parse(
        span_of(bytes, (size_t)len), PUSH_TO_PROCESS, &message));
    assert_int_equal(message.type, PUSH_SEND);
    assert_span(message.text, span_str(token));
    return message.id;
}

static void say(struct fixture *f, const struct push_message *message)
{
    static uint8_t bytes[PUSH_MESSAGE_MAX];
    size_t len = push_message_encode(message, bytes, sizeof(bytes));

    assert_true(len > 0);
    assert_int_equal(send(f->process, bytes, len, 0), len);
    stage_run_control(&f->stage);
}

static void answer(struct fixture *f, uint32_t id, enum push_outcome outcome)
{
    say(f, &(struct push_message){.type = PUSH_RESULT,
               .id = id,
               .outcome = outcome,
               .requests = 3,
               .text = span_str("text")});
}

static uint64_t count(const struct fixture *f, enum metric which)
{
    return stage_count(&f->stage, which) +
           f->stage.relay.control.metrics.values[which];
}

static void each_wake_ends_once(void **state)
{
    static struct fixture f;
    uint32_t first = 0;
    uint32_t second = 0;

    (void)state;
    open_push(&f, NULL);
    wish(&f, 0, "one");
    wish(&f, 1, "two");
    first = handed(&f, "one");
    second = handed(&f, "two");
    assert_true(first != 0 && second != 0 && first != second);
    assert_int_equal(wake_count(&f.stage.relay), 2);
    answer(&f, first, PUSH_SENT);
    answer(&f, first, PUSH_SEND_FAILED); /* of nobody any more */
    answer(&f, 7, PUSH_SENT);            /* never was one */
    answer(&f, second, PUSH_UNREGISTERED);
    assert_int_equal(wake_count(&f.stage.relay), 0);
    assert_int_equal(count(&f, METRIC_PUSH_SENT), 1);
    assert_int_equal(count(&f, METRIC_PUSH_UNREGISTERED), 1);
    assert_int_equal(count(&f, METRIC_PUSH_SEND_FAILED), 0);
    assert_int_equal(count(&f, METRIC_PUSH_RETRIES), 4);
    close_push(&f);
}

/* The slot is another wake's by then. */
static void a_late_answer_ends_no_other(void **state)
{
    static struct fixture f;
    uint32_t late = 0;

    (void)state;
    open_push(&f, NULL);
    wish(&f, 0, "one");
    late = handed(&f, "one");
    say(&f,
        &(struct push_message){.type = PUSH_DIED, .text = span_str("killed")});
    assert_int_equal(count(&f, METRIC_PUSH_SEND_FAILED), 1);
    say(&f, &(struct push_message){.type = PUSH_STARTED});
    wish(&f, 0, "two");
    assert_int_not_equal(handed(&f, "two"), 0);
    answer(&f, late, PUSH_SENT);
    assert_int_equal(wake_count(&f.stage.relay), 1);
    assert_int_equal(count(&f, METRIC_PUSH_SENT), 0);
    close_push(&f);
    assert_int_equal(count(&f, METRIC_PUSH_SENT), 0);
}

/* Names that look like addresses of one network are names. */
static void every_server_id_has_its_own_bucket(void **state)
{
    static struct fixture f;
    int first = -1;
    int second = -1;

    (void)state;
    open_push(&f, NULL);
    first = stage_binary(&f.stage, "2001:db8::1");
    second = stage_binary(&f.stage, "2001:db8::2");
    for (int i = 0; i < 6; i++)
        stage_send_text(first, WISH);
    stage_run(&f.stage);
    stage_send_text(second, WISH);
    stage_run(&f.stage);
    assert_int_equal(wake_count(&f.stage.relay), 7);
    assert_int_equal(count(&f, METRIC_PUSH_SERVER_ID), 0);
    (void)close(first);
    (void)close(second);
    close_push(&f);
}

static void while_no_process_runs(void **state)
{
    static struct fixture f;

    (void)state;
    open_push(&f, NULL);
    say(&f,
        &(struct push_message){.type = PUSH_DIED, .text = span_str("killed")});
    wish(&f, 0, "one");
    assert_int_equal(handed(&f, ""), 0);
    assert_int_equal(count(&f, METRIC_PUSH_PROCESS), 1);
    assert_int_equal(count(&f, METRIC_PUSH_DROPPED), 1);
    say(&f, &(struct push_message){.type = PUSH_STARTED});
    wish(&f, 0, "two");
    assert_int_not_equal(handed(&f, "two"), 0);
    assert_int_equal(count(&f, METRIC_PUSH_DEATHS), 1);
    close_push(&f);
}

/* Six at once, and one more each ten seconds. */
static void the_bucket_of_a_server_id(void **state)
{
    static struct fixture f;

    (void)state;
    open_push(&f, NULL);
    for (int i = 0; i < 7; i++)
        wish(&f, 0, "t");
    assert_int_equal(count(&f, METRIC_PUSH_SERVER_ID), 1);
    stage_skip(&f.stage, LIMIT_WAKE_INTERVAL_MS - 200);
    wish(&f, 0, "t");
    assert_int_equal(count(&f, METRIC_PUSH_SERVER_ID), 2);
    stage_skip(&f.stage, 200);
    wish(&f, 0, "t");
    wish(&f, 0, "t");
    assert_int_equal(count(&f, METRIC_PUSH_SERVER_ID), 3);
    assert_int_equal(wake_count(&f.stage.relay), 7);
    wish(&f, 1, "t");
    assert_int_equal(wake_count(&f.stage.relay), 8);
    close_push(&f);
}

/* The bucket's token is spent all the same. */
static void thirty_two_slots(void **state)
{
    static struct fixture f;
    uint32_t id = 0;

    (void)state;
    open_push(&f, NULL);
    for (int i = 0; i < 38; i++)
        wish(&f, i / 6, "t");
    assert_int_equal(wake_count(&f.stage.relay), LIMIT_WAKES);
    assert_int_equal(count(&f, METRIC_PUSH_IN_FLIGHT), 6);
    assert_int_equal(count(&f, METRIC_PUSH_DROPPED), 6);
    id = handed(&f, "t");
    answer(&f, id, PUSH_SENT);
    wish(&f, 5, "t");
    assert_int_equal(count(&f, METRIC_PUSH_SERVER_ID), 1);
    wish(&f, 7, "t");
    assert_int_equal(wake_count(&f.stage.relay), LIMIT_WAKES);
    close_push(&f);
}

static void the_ceiling(void **state)
{
    static const char *const flags[] = {"--max-wakes-per-second=3", NULL};
    static struct fixture f;

    (void)state;
    open_push(&f, flags);
    for (int i = 0; i < 5; i++)
        wish(&f, i, "t");
    assert_int_equal(count(&f, METRIC_PUSH_CEILING), 2);
    assert_int_equal(wake_count(&f.stage.relay), 3);
    stage_skip(&f.stage, 1000);
    for (int i = 0; i < 5; i++)
        wish(&f, i, "t");
    assert_int_equal(count(&f, METRIC_PUSH_CEILING), 4);
    close_push(&f);
}

/* A process that reads nothing costs the wishes that its pipe does not take,
 * and no time. */
static void a_pipe_that_is_full(void **state)
{
    static const char *const flags[] = {"--max-wakes-per-second=0", NULL};
    static struct fixture f;
    int least = 1;
    uint8_t filler[64] = {0};

    (void)state;
    open_push(&f, flags);
    assert_int_equal(setsockopt(f.stage.relay.wakes.send_fd, SOL_SOCKET,
                         SO_SNDBUF, &least, sizeof(least)),
        0);
    while (send(f.stage.relay.wakes.send_fd, filler, sizeof(filler),
               MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    wish(&f, 0, "t");
    assert_int_equal(count(&f, METRIC_PUSH_PROCESS), 1);
    assert_int_equal(wake_count(&f.stage.relay), 0);
    close_push(&f);
}

static void what_is_never_answered(void **state)
{
    static struct fixture f;
    struct worker *control = NULL;

    (void)state;
    open_push(&f, NULL);
    control = &f.stage.relay.control.worker;
    wish(&f, 0, "t");
    worker_skip_time(control, WAKE_ANSWER_MS - 1000);
    wake_tick(&f.stage.relay);
    assert_int_equal(wake_count(&f.stage.relay), 1);
    worker_skip_time(control, 2000);
    wake_tick(&f.stage.relay);
    assert_int_equal(wake_count(&f.stage.relay), 0);
    assert_int_equal(count(&f, METRIC_PUSH_SEND_FAILED), 1);
    close_push(&f);
}

static void nonsense_ends_push(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"x", 1},
        {"\1\3\0\0\0\0\0\1t", 9}, /* of the other direction */
        {"\1\0\0\0\0\0\0\0 ", 9},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct fixture f;

        open_push(&f, NULL);
        wish(&f, 0, "t");
        assert_int_equal(
            send(f.process, cases[i].bytes, cases[i].len, 0), cases[i].len);
        stage_run_control(&f.stage);
        assert_int_equal(count(&f, METRIC_PUSH_SEND_FAILED), 1);
        wish(&f, 0, "t");
        assert_int_equal(count(&f, METRIC_PUSH_PROCESS), 1);
        close_push(&f);
    }
}

static void the_process_is_gone(void **state)
{
    static struct fixture f;

    (void)state;
    open_push(&f, NULL);
    wish(&f, 0, "t");
    (void)close(f.process);
    f.process = -1;
    stage_run_control(&f.stage);
    assert_int_equal(count(&f, METRIC_PUSH_SEND_FAILED), 1);
    wish(&f, 0, "t");
    assert_int_equal(count(&f, METRIC_PUSH_DROPPED), 1);
    close_push(&f);
}

/* At the end the process is told, and its last words are heard. */
static void the_end(void **state)
{
    static struct fixture f;
    static uint8_t bytes[PUSH_MESSAGE_MAX];
    struct push_message message;
    ssize_t len = 0;
    uint32_t id = 0;

    (void)state;
    open_push(&f, NULL);
    wish(&f, 0, "t");
    id = handed(&f, "t");
    message = (struct push_message){
        .type = PUSH_RESULT, .id = id, .outcome = PUSH_TOKEN_FETCH_FAILED};
    len = (ssize_t)push_message_encode(&message, bytes, sizeof(bytes));
    assert_int_equal(send(f.process, bytes, (size_t)len, 0), len);
    wake_close(&f.stage.relay);
    assert_int_equal(count(&f, METRIC_PUSH_TOKEN_FETCH_FAILED), 1);
    len = recv(f.process, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_true(push_message_parse(
        span_of(bytes, (size_t)len), PUSH_TO_PROCESS, &message));
    assert_int_equal(message.type, PUSH_STOP);
    close_push(&f);
}

static void push_is_off(void **state)
{
    static struct stage s;
    int binary = -1;

    (void)state;
    stage_open(&s, 2, NULL);
    binary = stage_binary(&s, "sid");
    stage_send_text(binary, "{\"push_wake\":{\"platform\":\"fcm\"}}");
    stage_run(&s);
    stage_expect_nothing(binary);
    assert_int_equal(stage_count(&s, METRIC_PUSH_OFF), 1);
    assert_int_equal(stage_count(&s, METRIC_PUSH_DROPPED), 0);
    (void)close(binary);
    stage_close(&s);
}

RUN_TESTS("wake", cmocka_unit_test(each_wake_ends_once),
    cmocka_unit_test(a_late_answer_ends_no_other),
    cmocka_unit_test(every_server_id_has_its_own_bucket),
    cmocka_unit_test(while_no_process_runs),
    cmocka_unit_test(the_bucket_of_a_server_id),
    cmocka_unit_test(thirty_two_slots), cmocka_unit_test(the_ceiling),
    cmocka_unit_test(a_pipe_that_is_full),
    cmocka_unit_test(what_is_never_answered),
    cmocka_unit_test(nonsense_ends_push), cmocka_unit_test(the_process_is_gone),
    cmocka_unit_test(the_end), cmocka_unit_test(push_is_off));
