/* What a peer that asks for much costs, and whom. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/limits.h"
#include "stage.h"

#include "cmocka_all.h"

static struct stage s;

static int set_up(void **state)
{
    static const char *const few[] = {
        "--max-queued=1048576", "--max-pending=2", NULL};

    (void)state;
    stage_open(&s, 2, few);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_close(&s);
    return 0;
}

/* A server-id of that shard. */
static const char *id_on(size_t shard)
{
    static char id[16];

    for (int i = 0;; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        if (shard_of(&s.relay, span_str(id)) == &s.relay.shards[shard])
            return id;
    }
}

static void send_all(int peer, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = send(peer, bytes, len, MSG_NOSIGNAL);

        if (put > 0) {
            bytes += put;
            len -= (size_t)put;
        }
        stage_run(&s);
        assert_true(put > 0);
    }
}

/* The start of a message: first is the first byte of its frame, len what its
 * header promises, of which sent bytes follow. */
static void send_start(int peer, uint8_t first, uint32_t len, uint32_t sent)
{
    static uint8_t zeros[LIMIT_MESSAGE_BYTES];
    const uint8_t header[] = {first, 0x80 | 127, 0, 0, 0, 0,
        (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
        (uint8_t)len, 0, 0, 0, 0};

    send_all(peer, header, sizeof(header));
    send_all(peer, zeros, sent);
}

enum { TEXT = 0x81, FRAGMENT = 0x01 };

/* ---- the memory budget ---- */

/* Each keeps a quarter of the budget as fragments. */
static void fragments_are_given_up_with_their_connection(void **state)
{
    int peers[6];
    char id[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        (void)snprintf(id, sizeof(id), "%zu", i);
        peers[i] = stage_binary(&s, id);
    }
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        send_start(peers[i], FRAGMENT, 200000, 200000);
    assert_true(budget_taken(&s.relay.memory) <= s.relay.memory.limit);
    assert_true(stage_count(&s, METRIC_OVERFLOW_PROCESS) > 0);
    assert_true(relay_binaries(&s.relay) >= 3);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        (void)close(peers[i]);
}

/* What a shard once kept is not held against those that are on it now. */
static void the_largest_of_all_pays_and_not_that_of_another_shard(void **state)
{
    int was_large = stage_binary(&s, id_on(0));
    int small = stage_phone(&s, id_on(0));
    int hogs[5];
    char id[16];
    size_t count = 0;

    (void)state;
    send_start(was_large, TEXT, LIMIT_MESSAGE_BYTES, LIMIT_MESSAGE_BYTES);
    send_start(small, TEXT, 70000, 10);
    for (int i = 0; count < ARRAY_LEN(hogs); i++) {
        (void)snprintf(id, sizeof(id), "hog-%d", i);
        if (shard_of(&s.relay, span_str(id)) == &s.relay.shards[1])
            hogs[count++] = stage_binary(&s, id);
    }
    for (size_t i = 0; i < ARRAY_LEN(hogs); i++)
        send_start(hogs[i], TEXT, 200000, 10);
    stage_expect_nothing(small);
    assert_int_equal(relay_phones(&s.relay), 1);
    assert_int_equal(stage_count(&s, METRIC_OVERFLOW_PROCESS), 1);
    (void)close(was_large);
    (void)close(small);
    for (size_t i = 0; i < ARRAY_LEN(hogs); i++)
        (void)close(hogs[i]);
}

/* An item of the queue costs many times a pong's two bytes. */
static void what_a_queue_needs_for_itself_is_counted(void **state)
{
    int peer = stage_binary(&s, id_on(0));
    const struct conn *c = s.relay.shards[0].live.first;
    static uint8_t pings[32000 * 6];

    (void)state;
    for (size_t i = 0; i < sizeof(pings); i += 6) {
        pings[i] = 0x80 | WS_PING;
        pings[i + 1] = 0x80;
    }
    send_all(peer, pings, sizeof(pings));
    send_all(peer, pings, 6); /* has it written as far as the socket takes it */
    if (c->state != CONN_DEAD)
        assert_true(budget_taken(&s.relay.memory) >=
                    c->out.item_cap * sizeof(struct outbox_item));
    (void)close(peer);
}

/* ---- the end of many ---- */

static void a_drain_tells_more_than_may_wait(void **state)
{
    int peers[6];
    char id[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        (void)snprintf(id, sizeof(id), "%zu", i);
        peers[i] = stage_binary(&s, id);
    }
    for (size_t i = 0; i < s.relay.shard_count; i++)
        shard_post(&s.relay.shards[i], &s.relay.shards[i].drain);
    stage_run(&s);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        stage_expect_close(peers[i], 1001, "shutting down");
        (void)close(peers[i]);
    }
    stage_run(&s);
    for (size_t i = 0; i < s.relay.shard_count; i++)
        assert_int_equal(s.relay.shards[i].conn_count, 0);
}

/* Who still sends what we refused gets to read why. */
static void a_violator_may_finish_and_read_its_close(void **state)
{
    int peer = stage_binary(&s, "a");
    static uint8_t garbage[50000];
    uint8_t end = 0;

    (void)state;
    memset(garbage, 0xff, sizeof(garbage));
    send_start(peer, TEXT, LIMIT_MESSAGE_BYTES + 1, 10);
    for (int i = 0; i < 5; i++)
        send_all(peer, garbage, sizeof(garbage));
    stage_expect_close(peer, 1009, "message exceeds the limit");
    assert_int_equal(read(peer, &end, 1), 0);
    (void)close(peer);
    stage_run(&s);
    assert_int_equal(budget_taken(&s.relay.pending), 0);
}

/* ---- a binary that is slow but lives ---- */

/* Its phones are not read meanwhile: what they owe us may have come, and is
 * not held against them. */
static void a_slow_binary_costs_no_phone_its_message(void **state)
{
    int binary = stage_binary(&s, "a");
    int phone = stage_phone(&s, "a");
    struct shard *shard = shard_of(&s.relay, span_str("a"));
    struct slot *slot = registry_find(&shard->registry, span_str("a"));

    (void)state;
    send_start(phone, TEXT, 70000, 10);
    slot->paused = true; /* as session_flushed() has it */
    conn_update_interest(slot->phones[0]);
    stage_skip(&s, LIMIT_MESSAGE_MS + 5000);
    assert_int_equal(relay_phones(&s.relay), 1);
    slot->paused = false;
    conn_update_interest(slot->phones[0]);
    stage_skip(&s, LIMIT_MESSAGE_MS + 2 * TIMER_TICK_MS); /* and no longer */
    assert_int_equal(relay_phones(&s.relay), 0);
    assert_int_equal(stage_count(&s, METRIC_DEADLINE_MESSAGE), 1);
    (void)close(phone);
    (void)close(binary);
}

/* ---- claims of one server-id ---- */

static void challengers_of_a_server_id_are_few(void **state)
{
    int incumbent = stage_binary(&s, "a");
    int challengers[LIMIT_CHALLENGERS + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(challengers); i++)
        challengers[i] = stage_binary(&s, "a");
    stage_expect_close(
        challengers[LIMIT_CHALLENGERS], 4409, "server-id already claimed");
    stage_expect_nothing(challengers[LIMIT_CHALLENGERS - 1]);
    /* One that leaves makes room. */
    (void)close(challengers[0]);
    (void)close(challengers[LIMIT_CHALLENGERS]);
    stage_run(&s);
    challengers[0] = stage_binary(&s, "a");
    stage_expect_nothing(challengers[0]);
    (void)close(incumbent);
    for (size_t i = 0; i < LIMIT_CHALLENGERS; i++)
        (void)close(challengers[i]);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("pressure", CASE(fragments_are_given_up_with_their_connection),
    CASE(the_largest_of_all_pays_and_not_that_of_another_shard),
    CASE(what_a_queue_needs_for_itself_is_counted),
    CASE(a_drain_tells_more_than_may_wait),
    CASE(a_violator_may_finish_and_read_its_close),
    CASE(a_slow_binary_costs_no_phone_its_message),
    CASE(challengers_of_a_server_id_are_few));
