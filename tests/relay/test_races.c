/* Every race of claims, grace windows and closes, in each order. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/limits.h"
#include "stage.h"

#include "cmocka_all.h"

enum {
    PROBE = LIMIT_PROBE_MS + 2 * TIMER_TICK_MS, /* surely over */
    GRACE = LIMIT_GRACE_MS + 2 * TIMER_TICK_MS,
};

static struct stage s;

static int set_up(void **state)
{
    (void)state;
    stage_open(&s, 2, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_close(&s);
    return 0;
}

/* ---- probe and takeover ---- */

static void an_incumbent_that_answers_stays(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = stage_binary(&s, "a");

    (void)state;
    stage_expect_nothing(newcomer);
    stage_skip(&s, LIMIT_PROBE_MS - 2 * TIMER_TICK_MS);
    stage_expect_ping(incumbent, STAGE_PONG); /* at the last moment */
    stage_run(&s);
    stage_expect_close(newcomer, 4409, "server-id already claimed");
    stage_skip(&s, 2 * PROBE);
    stage_expect_nothing(incumbent);
    assert_int_equal(stage_count(&s, METRIC_PROBE_ALIVE), 1);
    assert_int_equal(stage_count(&s, METRIC_TAKEOVERS), 0);
    (void)close(incumbent);
    (void)close(newcomer);
}

static void an_incumbent_that_is_silent_is_replaced(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    int newcomer = stage_binary(&s, "a");

    (void)state;
    stage_skip(&s, LIMIT_PROBE_MS - TIMER_TICK_MS);
    stage_expect_nothing(newcomer); /* not before its time */
    stage_expect_nothing(phone);
    stage_skip(&s, 3 * TIMER_TICK_MS);
    stage_expect_close(incumbent, 1011, "heartbeat timeout");
    stage_expect_close(phone, 4404, "binary reclaimed server-id");
    assert_int_equal(stage_count(&s, METRIC_TAKEOVERS), 1);
    /* It is the newcomer that phones reach from now on. */
    (void)close(phone);
    phone = stage_phone(&s, "a");
    stage_send_text(phone, "1");
    stage_run(&s);
    struct stage_frame frame;
    assert_true(stage_recv(newcomer, &frame));
    assert_non_null(strstr((char *)frame.payload, "\"frame\":1}"));
    /* The old one's end is not the slot's. */
    (void)close(incumbent);
    stage_skip(&s, GRACE);
    stage_expect_nothing(phone);
    (void)close(phone);
    (void)close(newcomer);
}

static void a_late_pong_does_not_bring_it_back(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = stage_binary(&s, "a");
    struct stage_frame ping;

    (void)state;
    assert_true(stage_recv(incumbent, &ping));
    stage_skip(&s, PROBE);
    stage_send(incumbent, WS_PONG, span_of(ping.payload, ping.len));
    stage_run(&s);
    stage_expect_nothing(newcomer);
    stage_expect_close(incumbent, 1011, "heartbeat timeout");
    (void)close(incumbent);
    (void)close(newcomer);
}

static void pong_and_end_of_the_probe_in_one_round(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = stage_binary(&s, "a");

    (void)state;
    stage_expect_ping(incumbent, STAGE_PONG);
    /* The pong is there to be read, and the time is over before it is: the
     * decision falls once, and holds. */
    stage_skip(&s, PROBE);
    stage_expect_close(incumbent, 1011, "heartbeat timeout");
    stage_expect_nothing(newcomer);
    assert_int_equal(stage_count(&s, METRIC_SERVER_409), 0);
    (void)close(incumbent);
    (void)close(newcomer);
}

static void the_first_of_several_challengers_wins(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int first = stage_binary(&s, "a");
    int second = -1;

    (void)state;
    stage_skip(&s, LIMIT_PROBE_MS / 2);
    second = stage_binary(&s, "a");
    stage_expect_ping(incumbent, STAGE_SILENCE);
    stage_expect_nothing(incumbent); /* one probe serves both */
    stage_skip(&s, LIMIT_PROBE_MS / 2 + 2 * TIMER_TICK_MS);
    stage_expect_close(incumbent, 1011, "heartbeat timeout");
    stage_expect_close(second, 4409, "server-id already claimed");
    stage_expect_nothing(first);
    (void)close(incumbent);
    (void)close(first);
    (void)close(second);
}

/* Whoever claims again and again neither hastens nor delays the decision. */
static void challengers_do_not_move_the_deadline(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int challengers[9];
    struct stage_frame ping;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(challengers); i++) {
        challengers[i] = stage_binary(&s, "a");
        stage_skip(&s, 1000);
    }
    assert_true(stage_recv(incumbent, &ping)); /* 9 s later, it is there */
    stage_send(incumbent, WS_PONG, span_of(ping.payload, ping.len));
    stage_run(&s);
    for (size_t i = 0; i < ARRAY_LEN(challengers); i++) {
        stage_expect_close(challengers[i], 4409, "server-id already claimed");
        (void)close(challengers[i]);
    }
    stage_skip(&s, PROBE);
    stage_expect_nothing(incumbent);
    (void)close(incumbent);
}

static void an_incumbent_that_leaves_makes_way_at_once(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    int newcomer = stage_binary(&s, "a");

    (void)state;
    stage_send_close(incumbent, 1000);
    stage_run(&s);
    stage_expect_close(phone, 4404, "binary reclaimed server-id");
    stage_expect_nothing(newcomer);
    assert_int_equal(stage_count(&s, METRIC_PROBE_RELEASED), 1);
    assert_int_equal(stage_count(&s, METRIC_SERVER_409), 0);
    (void)close(phone);
    (void)close(incumbent);
    stage_skip(&s, GRACE);
    assert_int_equal(relay_binaries(&s.relay), 1);
    (void)close(newcomer);
}

static void a_challenger_that_leaves_changes_nothing(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = stage_binary(&s, "a");

    (void)state;
    (void)close(newcomer);
    stage_run(&s);
    assert_int_equal(stage_count(&s, METRIC_PROBE_ABANDONED), 1);
    stage_expect_ping(incumbent, STAGE_SILENCE);
    stage_skip(&s, PROBE); /* nobody waits for the answer any more */
    stage_expect_nothing(incumbent);
    assert_int_equal(relay_binaries(&s.relay), 1);
    assert_int_equal(stage_count(&s, METRIC_TAKEOVERS), 0);
    (void)close(incumbent);
}

static void the_second_challenger_takes_the_place_of_the_first(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int first = stage_binary(&s, "a");
    int second = stage_binary(&s, "a");

    (void)state;
    (void)close(first);
    stage_run(&s);
    stage_skip(&s, PROBE);
    stage_expect_close(incumbent, 1011, "heartbeat timeout");
    stage_expect_nothing(second);
    assert_int_equal(relay_binaries(&s.relay), 1);
    (void)close(incumbent);
    (void)close(second);
}

static void frames_of_a_challenger_wait_for_the_decision(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = stage_binary(&s, "a");
    struct stage_frame frame;

    (void)state;
    stage_send(newcomer, WS_PING, LIT("early"));
    stage_run(&s);
    assert_false(stage_recv(newcomer, &frame));
    stage_skip(&s, PROBE);
    assert_true(stage_recv(newcomer, &frame));
    assert_int_equal(frame.opcode, WS_PONG);
    assert_memory_equal(frame.payload, "early", 5);
    (void)close(incumbent);
    (void)close(newcomer);
}

/* A heartbeat's ping that is out is the probe's: its pong is proof enough. */
static void a_ping_that_is_out_serves_the_probe(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = -1;

    (void)state;
    stage_skip(&s, LIMIT_HEARTBEAT_MS + 2 * TIMER_TICK_MS);
    newcomer = stage_binary(&s, "a");
    stage_expect_ping(incumbent, STAGE_PONG);
    stage_expect_nothing(incumbent);
    stage_run(&s);
    stage_expect_close(newcomer, 4409, "server-id already claimed");
    (void)close(incumbent);
    (void)close(newcomer);
}

/* ---- the end of a binary and the next claim ---- */

static void an_end_and_a_claim_in_one_round(void **state)
{
    (void)state;
    /* The end is read first, or the claim is: neither ends in 4409. */
    for (int claim_first = 0; claim_first <= 1; claim_first++) {
        const char *id = claim_first ? "claim" : "end";
        size_t owner =
            (size_t)(shard_of(&s.relay, span_str(id)) - s.relay.shards);
        int old = stage_binary(&s, id);
        int new = -1;

        if (claim_first)
            new = stage_connect(&s, owner, "/v1/server", id);
        (void)close(old);
        if (!claim_first)
            new = stage_connect(&s, owner, "/v1/server", id);
        stage_run(&s);
        stage_skip(&s, 1000);
        assert_int_equal(stage_count(&s, METRIC_SERVER_409), 0);
        assert_int_equal(relay_binaries(&s.relay), 1);
        (void)close(new);
        stage_skip(&s, GRACE);
    }
}

static void a_stale_grace_timer_evicts_nobody(void **state)
{
    int old = stage_binary(&s, "a");
    int new = -1;
    int phone = -1;

    (void)state;
    (void)close(old);
    stage_run(&s);
    stage_skip(&s, LIMIT_GRACE_MS - 5 * TIMER_TICK_MS);
    new = stage_binary(&s, "a");
    phone = stage_phone(&s, "a");
    stage_skip(&s, 20 * TIMER_TICK_MS);
    stage_expect_nothing(phone);
    assert_int_equal(relay_binaries(&s.relay), 1);
    assert_int_equal(stage_count(&s, METRIC_GRACE_EXPIRIES), 0);
    (void)close(new);
    (void)close(phone);
}

static void expiry_and_reclaim_at_the_same_time(void **state)
{
    int old = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    int new = -1;

    (void)state;
    (void)close(old);
    stage_run(&s);
    stage_skip(&s, LIMIT_GRACE_MS - TIMER_TICK_MS);
    /* The claim waits to be read while the window runs out. */
    new = stage_connect(&s, 0, "/v1/server", "a");
    stage_skip(&s, 3 * TIMER_TICK_MS);
    stage_expect_close(phone, 1000, "");
    assert_int_equal(stage_count(&s, METRIC_GRACE_EXPIRIES), 1);
    assert_int_equal(relay_binaries(&s.relay), 1);
    assert_int_equal(relay_phones(&s.relay), 0);
    (void)close(phone);
    (void)close(new);
}

static void a_phone_of_the_window_is_evicted_by_the_reclaim(void **state)
{
    int old = stage_binary(&s, "a");
    int phone = -1;
    int new = -1;

    (void)state;
    (void)close(old);
    stage_run(&s);
    phone = stage_phone(&s, "a");
    new = stage_binary(&s, "a");
    stage_expect_close(phone, 4404, "binary reclaimed server-id");
    stage_expect_nothing(new); /* of it the new binary learns nothing */
    (void)close(phone);
    stage_run(&s);
    stage_expect_nothing(new);
    (void)close(new);
}

static void a_frame_and_the_end_of_its_binary_in_one_round(void **state)
{
    int binary = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");

    (void)state;
    stage_send_text(phone, "1");
    (void)close(binary);
    stage_run(&s);
    /* Taken or lost: a phone whose frame was lost is told. */
    stage_send_text(phone, "2");
    stage_run(&s);
    stage_expect_close(phone, 1000, "");
    (void)close(phone);
}

/* ---- the close notice ---- */

static void a_notice_goes_to_the_binary_of_the_registration_only(void **state)
{
    int old = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    int new = -1;

    (void)state;
    /* The phone's end waits to be read while its binary is replaced. */
    stage_send_close(phone, 1000);
    (void)close(old);
    new = stage_connect(&s, 0, "/v1/server", "a");
    stage_run(&s);
    char answer[512];
    assert_true(read(new, answer, sizeof(answer)) > 0); /* the 101 */
    stage_expect_nothing(new);
    (void)close(phone);
    (void)close(new);
}

static void a_close_from_both_sides_at_once(void **state)
{
    int binary = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    struct stage_frame frame;
    char id[64];
    char directive[128];

    (void)state;
    stage_send_text(phone, "1");
    stage_run(&s);
    assert_true(stage_recv(binary, &frame));
    assert_int_equal(
        sscanf((char *)frame.payload, "{\"conn_id\":\"%63[^\"]\"", id), 1);
    (void)snprintf(directive, sizeof(directive),
        "{\"conn_id\":\"%s\",\"close_code\":4401}", id);
    stage_send_text(binary, directive);
    stage_send_close(phone, 1000);
    stage_run(&s);
    /* At most one notice, and none once the binary's close was sent. */
    assert_true(stage_recv(phone, &frame));
    assert_int_equal(frame.opcode, WS_CLOSE);
    if (frame.payload[0] << 8 == (4401 & 0xff00)) {
        stage_expect_nothing(binary);
    } else {
        (void)snprintf(directive, sizeof(directive),
            "{\"conn_id\":\"%s\",\"close_code\":1000}", id);
        stage_expect_text(binary, directive);
        stage_expect_nothing(binary);
    }
    (void)close(binary);
    (void)close(phone);
}

/* ---- moving and draining ---- */

static void a_drain_begins_while_connections_move(void **state)
{
    int peers[8];
    char id[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        (void)snprintf(id, sizeof(id), "id-%zu", i);
        peers[i] = stage_connect(&s, 0, "/v1/server", id);
    }
    stage_run_shard(&s, 0); /* their heads are read; some are on their way */
    for (size_t i = 0; i < s.relay.shard_count; i++)
        shard_post(&s.relay.shards[i], &s.relay.shards[i].drain);
    stage_run(&s);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        (void)close(peers[i]);
    stage_run(&s);
    for (size_t i = 0; i < s.relay.shard_count; i++)
        assert_int_equal(s.relay.shards[i].conn_count, 0);
    assert_int_equal(budget_taken(&s.relay.live), 0);
}

static void the_end_comes_while_connections_move(void **state)
{
    char id[16];
    int peers[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        (void)snprintf(id, sizeof(id), "id-%zu", i);
        peers[i] = stage_connect(&s, i % 2, "/v1/server", id);
    }
    stage_run_shard(&s, 0);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        (void)close(peers[i]);
    /* tear_down() ends the relay: no descriptor and no count is left. */
}

static void a_drain_ends_challenges(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int newcomer = stage_binary(&s, "a");

    (void)state;
    for (size_t i = 0; i < s.relay.shard_count; i++)
        shard_post(&s.relay.shards[i], &s.relay.shards[i].drain);
    stage_run(&s);
    stage_expect_close(incumbent, 1001, "shutting down");
    stage_expect_close(newcomer, 1001, "shutting down");
    (void)close(incumbent);
    (void)close(newcomer);
    stage_run(&s);
}

/* ---- numbers ---- */

static void numbers_do_not_repeat(void **state)
{
    struct shard *shard = &s.relay.shards[0];
    static uint32_t drawn[20000];

    (void)state;
    shard->serial = UINT32_MAX - 10000; /* around the wrap */
    for (size_t i = 0; i < ARRAY_LEN(drawn); i++) {
        drawn[i] = shard_draw_number(shard);
        assert_int_not_equal(drawn[i], 0);
    }
    for (size_t i = 1; i < ARRAY_LEN(drawn); i++) {
        for (size_t j = i > 50 ? i - 50 : 0; j < i; j++)
            assert_int_not_equal(drawn[i], drawn[j]);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("races", CASE(an_incumbent_that_answers_stays),
    CASE(an_incumbent_that_is_silent_is_replaced),
    CASE(a_late_pong_does_not_bring_it_back),
    CASE(pong_and_end_of_the_probe_in_one_round),
    CASE(the_first_of_several_challengers_wins),
    CASE(challengers_do_not_move_the_deadline),
    CASE(an_incumbent_that_leaves_makes_way_at_once),
    CASE(a_challenger_that_leaves_changes_nothing),
    CASE(the_second_challenger_takes_the_place_of_the_first),
    CASE(frames_of_a_challenger_wait_for_the_decision),
    CASE(a_ping_that_is_out_serves_the_probe),
    CASE(an_end_and_a_claim_in_one_round),
    CASE(a_stale_grace_timer_evicts_nobody),
    CASE(expiry_and_reclaim_at_the_same_time),
    CASE(a_phone_of_the_window_is_evicted_by_the_reclaim),
    CASE(a_frame_and_the_end_of_its_binary_in_one_round),
    CASE(a_notice_goes_to_the_binary_of_the_registration_only),
    CASE(a_close_from_both_sides_at_once),
    CASE(a_drain_begins_while_connections_move),
    CASE(the_end_comes_while_connections_move), CASE(a_drain_ends_challenges),
    CASE(numbers_do_not_repeat));
