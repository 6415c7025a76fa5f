/* The end of a relay that another has taken over from, on a clock that the
 * test sets. */
#include "relay/yield.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/limits.h"
#include "stage.h"

#include "cmocka_all.h"

enum {
    SECONDS = 10, /* of the drain */
    IDS = 20,
};

static struct stage s;

static int set_up(void **state)
{
    static const char *const more[] = {"--drain-seconds=10", NULL};

    (void)state;
    stage_open(&s, 1, more);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_close(&s);
    return 0;
}

static bool is_closed(int peer)
{
    struct stage_frame frame;

    while (stage_recv(peer, &frame)) {
        if (frame.opcode == WS_CLOSE)
            return true;
    }
    return false;
}

/* How many more of them are closed now; those stay marked by -1. */
static size_t count_closed(int *peers, size_t count)
{
    size_t closed = 0;

    for (size_t i = 0; i < count; i++) {
        if (peers[i] < 0 || !is_closed(peers[i]))
            continue;
        (void)close(peers[i]);
        peers[i] = -1;
        closed++;
    }
    return closed;
}

static void closes_are_spread(void **state)
{
    int peers[IDS];
    size_t closed = 0;

    (void)state;
    for (int i = 0; i < IDS; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "id-%d", i);
        peers[i] = stage_binary(&s, id);
    }
    yield_shard(&s.relay.shards[0]);
    for (int second = 1; second < SECONDS; second++) {
        stage_skip(&s, 1000);
        closed += count_closed(peers, IDS);
        assert_in_range(closed, (size_t)(second * IDS / SECONDS - 2),
            (size_t)(second * IDS / SECONDS + 2));
    }
    stage_skip(&s, 1000 + 2 * TIMER_TICK_MS);
    closed += count_closed(peers, IDS);
    assert_int_equal(closed, IDS);
}

/* A pair ends at the same time; another may live on. */
static void a_server_id_goes_as_a_whole(void **state)
{
    int peers[IDS][3];
    size_t whole = 0;

    (void)state;
    for (int i = 0; i < IDS; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "id-%d", i);
        peers[i][0] = stage_binary(&s, id);
        peers[i][1] = stage_phone(&s, id);
        peers[i][2] = stage_phone(&s, id);
    }
    yield_shard(&s.relay.shards[0]);
    for (int second = 0; second < SECONDS; second++) {
        stage_skip(&s, second == 0 ? 1000 + 2 * TIMER_TICK_MS : 1000);
        for (int i = 0; i < IDS; i++) {
            size_t closed = count_closed(peers[i], 3);

            assert_true(closed == 0 || closed == 3);
            whole += closed == 3;
        }
        assert_true(second == SECONDS - 1 || whole < IDS);
    }
    assert_int_equal(whole, IDS);
}

static void skip_to_the_end(void)
{
    stage_skip(&s, 1000 * SECONDS + 2 * TIMER_TICK_MS);
}

static void what_has_arrived_is_delivered_first(void **state)
{
    int binary = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    struct stage_frame frame;
    char text[128];
    char id[64] = "";

    (void)state;
    stage_send_text(phone, "0");
    stage_run(&s);
    assert_true(stage_recv(binary, &frame));
    assert_int_equal(
        sscanf((char *)frame.payload, "{\"conn_id\":\"%63[^\"]\"", id), 1);
    yield_shard(&s.relay.shards[0]);
    /* In the sockets, and nobody has looked at them. */
    stage_send_text(phone, "1");
    stage_send_text(phone, "2");
    (void)snprintf(
        text, sizeof(text), "{\"conn_id\":\"%s\",\"frame\":[3]}", id);
    stage_send_text(binary, text);
    worker_skip_time(
        &s.relay.shards[0].worker, 1000 * SECONDS + 2 * TIMER_TICK_MS);
    for (int n = 1; n <= 2; n++) {
        (void)snprintf(
            text, sizeof(text), "{\"conn_id\":\"%s\",\"frame\":%d}", id, n);
        stage_expect_text(binary, text);
    }
    stage_expect_close(binary, 1001, "shutting down");
    stage_expect_text(phone, "[3]");
    stage_expect_close(phone, 1001, "shutting down");
    stage_expect_nothing(binary); /* no notice: it is closed itself */
    assert_int_equal(stage_count(&s, METRIC_PHONE_TO_BINARY), 3);
    assert_int_equal(stage_count(&s, METRIC_BINARY_TO_PHONE), 1);
    (void)close(binary);
    (void)close(phone);
}

/* It ends as its binary says, and with that code. */
static void a_close_that_its_binary_asked_for_stands(void **state)
{
    int binary = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    struct stage_frame frame;
    char text[128];
    char id[64] = "";

    (void)state;
    stage_send_text(phone, "0");
    stage_run(&s);
    assert_true(stage_recv(binary, &frame));
    assert_int_equal(
        sscanf((char *)frame.payload, "{\"conn_id\":\"%63[^\"]\"", id), 1);
    yield_shard(&s.relay.shards[0]);
    (void)snprintf(
        text, sizeof(text), "{\"conn_id\":\"%s\",\"close_code\":4401}", id);
    stage_send_text(binary, text);
    worker_skip_time(
        &s.relay.shards[0].worker, 1000 * SECONDS + 2 * TIMER_TICK_MS);
    stage_expect_close(phone, 4401, "");
    stage_expect_close(binary, 1001, "shutting down");
    (void)close(binary);
    (void)close(phone);
}

/* Who was let in last is served, and has its turn like the others. */
static void who_is_in_its_handshake_goes_on(void **state)
{
    int early = stage_connect(&s, 0, "/v1/server", "a");
    int late = -1;
    struct stage_frame frame;

    (void)state;
    yield_shard(&s.relay.shards[0]);
    stage_run(&s);
    assert_int_equal(budget_taken(&s.relay.live), 1);
    late = stage_phone(&s, "a");
    assert_int_equal(budget_taken(&s.relay.live), 2);
    skip_to_the_end();
    stage_expect_close(late, 1001, "shutting down");
    assert_int_equal(budget_taken(&s.relay.live), 0);
    assert_int_equal(read(early, frame.payload, 12), 12);
    assert_memory_equal(frame.payload, "HTTP/1.1 101", 12);
    (void)close(early);
    (void)close(late);
}

/* A claim that is not decided ends, too, and wins nothing. */
static void a_challenger_is_closed(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int challenger = stage_binary(&s, "a");

    (void)state;
    yield_shard(&s.relay.shards[0]);
    skip_to_the_end();
    stage_expect_close(challenger, 1001, "shutting down");
    stage_expect_close(incumbent, 1001, "shutting down");
    assert_int_equal(stage_count(&s, METRIC_TAKEOVERS), 0);
    (void)close(incumbent);
    (void)close(challenger);
}

/* The waiting that are closing are not a crowd from which somebody must go. */
static void closing_needs_no_room(void **state)
{
    static const char *const more[] = {
        "--drain-seconds=10", "--max-pending=2", NULL};
    int peers[IDS];

    (void)state;
    stage_close(&s);
    stage_open(&s, 1, more);
    for (int i = 0; i < IDS; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "id-%d", i);
        peers[i] = stage_binary(&s, id);
    }
    yield_shard(&s.relay.shards[0]);
    worker_skip_time(
        &s.relay.shards[0].worker, 1000 * SECONDS + 2 * TIMER_TICK_MS);
    for (int i = 0; i < IDS; i++) {
        stage_expect_close(peers[i], 1001, "shutting down");
        (void)close(peers[i]);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("yield", CASE(closes_are_spread), CASE(a_server_id_goes_as_a_whole),
    CASE(what_has_arrived_is_delivered_first),
    CASE(a_close_that_its_binary_asked_for_stands),
    CASE(who_is_in_its_handshake_goes_on), CASE(a_challenger_is_closed),
    CASE(closing_needs_no_room));
