#include "relay/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static void put(
    struct outbox *o, const char *text, enum outbox_kind kind, uint32_t from)
{
    size_t len = strlen(text);
    uint8_t *room = outbox_reserve(o, len);

    assert_non_null(room);
    memcpy(room, text, len);
    outbox_commit(
        o, &(struct outbox_item){
               .len = len, .cost = len + 1, .from = from, .kind = kind});
}

static void first_in_first_out_in_one_piece(void **state)
{
    struct outbox o = {.cap = 0};
    struct outbox_item item;

    (void)state;
    assert_true(outbox_is_empty(&o));
    put(&o, "one", OUTBOX_HTTP, 0);
    put(&o, "second", OUTBOX_FRAME, 7);
    assert_span(outbox_pending(&o), LIT("onesecond"));
    assert_int_equal(o.cost, 4 + 7);
    outbox_sent(&o, 2);
    assert_false(outbox_next_done(&o, &item));
    assert_int_equal(o.cost, 4 + 7); /* charged until its last byte */
    outbox_sent(&o, 3);
    assert_true(outbox_next_done(&o, &item));
    assert_int_equal(item.kind, OUTBOX_HTTP);
    assert_false(outbox_next_done(&o, &item));
    assert_true(outbox_holds(&o, 7));
    assert_span(outbox_pending(&o), LIT("cond"));
    outbox_sent(&o, 4);
    assert_true(outbox_next_done(&o, &item));
    assert_int_equal(item.from, 7);
    assert_false(outbox_holds(&o, 7));
    assert_true(outbox_is_empty(&o));
    assert_int_equal(o.cost, 0);
    outbox_done(&o);
}

static void drops_what_is_not_begun(void **state)
{
    struct outbox o = {.cap = 0};

    (void)state;
    put(&o, "begun", OUTBOX_FRAME, 0);
    put(&o, "waiting", OUTBOX_FRAME, 0);
    put(&o, "ping", OUTBOX_CONTROL, 0);
    assert_int_equal(o.control_bytes, 4);
    outbox_sent(&o, 1);
    outbox_drop_unsent(&o);
    assert_span(outbox_pending(&o), LIT("egun"));
    assert_int_equal(o.control_bytes, 0);
    outbox_done(&o);
}

/* A peer that was just admitted needs the 101 before it can be told why it
 * is refused. */
static void keeps_the_http_response(void **state)
{
    struct outbox o = {.cap = 0};

    (void)state;
    put(&o, "101", OUTBOX_HTTP, 0);
    put(&o, "frame", OUTBOX_FRAME, 0);
    outbox_drop_unsent(&o);
    assert_span(outbox_pending(&o), LIT("101"));
    outbox_done(&o);
}

/* Random sizes and random progress, against a plain copy. */
static void pass_random_traffic(struct outbox *o)
{
    static uint8_t want[1 << 20];
    static uint8_t got[1 << 20];
    struct outbox_item item;
    size_t wanted = 0;
    size_t have = 0;
    size_t items = 0;
    uint32_t seed = 1;

    while (wanted < sizeof(want) - 4096) {
        seed = seed * 1664525U + 1013904223U;

        size_t len = 1 + (seed >> 8) % 4000;
        uint8_t *room = outbox_reserve(o, len);

        assert_non_null(room);
        for (size_t i = 0; i < len; i++)
            room[i] = want[wanted + i] = (uint8_t)(seed + i * 31);
        outbox_commit(o, &(struct outbox_item){
                             .len = len, .cost = len, .kind = OUTBOX_FRAME});
        wanted += len;
        items++;

        struct span pending = outbox_pending(o);
        size_t sent = (seed >> 3) % (pending.len + 1);

        memcpy(got + have, pending.ptr, sent);
        have += sent;
        outbox_sent(o, sent);
        while (outbox_next_done(o, &item))
            items--;
        if (!outbox_is_empty(o) && seed % 3 == 0)
            outbox_settle(o);
    }
    memcpy(got + have, outbox_pending(o).ptr, outbox_pending(o).len);
    have += outbox_pending(o).len;
    outbox_sent(o, outbox_pending(o).len);
    while (outbox_next_done(o, &item))
        items--;
    assert_int_equal(items, 0);
    assert_int_equal(have, wanted);
    assert_memory_equal(got, want, wanted);
    outbox_done(o);
}

static void random_traffic(void **state)
{
    struct outbox alone = {.cap = 0};
    struct outbox_pool pool;
    struct outbox lent = {.pool = &pool};

    (void)state;
    pass_random_traffic(&alone);
    assert_true(outbox_pool_init(&pool));
    pass_random_traffic(&lent);
    outbox_pool_done(&pool);
}

static size_t count_free(const struct outbox_pool *pool)
{
    size_t count = 0;

    for (const struct outbox_room *r = pool->free; r != NULL; r = r->next)
        count++;
    return count;
}

static void finish(struct outbox *o)
{
    struct outbox_item item;

    outbox_sent(o, outbox_pending(o).len);
    while (outbox_next_done(o, &item))
        assert_true(item.len > 0);
    assert_true(outbox_is_empty(o));
}

/* One at a time, and never two outboxes the same. */
static void rooms_are_lent_and_given_back(void **state)
{
    struct outbox_pool pool;
    struct outbox o[OUTBOX_ROOMS + 1];
    char text[] = "a";

    (void)state;
    assert_true(outbox_pool_init(&pool));
    for (size_t i = 0; i < ARRAY_LEN(o); i++) {
        o[i] = (struct outbox){.pool = &pool};
        text[0] = (char)('a' + i);
        put(&o[i], text, OUTBOX_FRAME, 0);
    }
    assert_int_equal(count_free(&pool), 0);
    for (size_t i = 0; i < ARRAY_LEN(o); i++) {
        bool lent = i < OUTBOX_ROOMS;

        assert_int_equal(outbox_pending(&o[i]).ptr[0], 'a' + i);
        assert_true((outbox_own_room(&o[i]) == 0) == lent);
        assert_true((outbox_own_items(&o[i]) == 0) == lent);
        finish(&o[i]);
    }
    assert_int_equal(count_free(&pool), OUTBOX_ROOMS);
    outbox_pool_done(&pool);
}

static void who_must_wait_gets_memory_of_its_own(void **state)
{
    struct outbox_pool pool;
    struct outbox o = {.pool = &pool};

    (void)state;
    assert_true(outbox_pool_init(&pool));
    put(&o, "first", OUTBOX_CONTROL, 0);
    put(&o, "second", OUTBOX_FRAME, 7);
    outbox_sent(&o, 2);
    outbox_settle(&o);
    assert_int_equal(count_free(&pool), OUTBOX_ROOMS);
    assert_span(outbox_pending(&o), LIT("rstsecond"));
    assert_int_equal(outbox_own_room(&o), 9);
    assert_true(outbox_holds(&o, 7));
    assert_int_equal(o.cost, 6 + 7);
    assert_int_equal(o.control_bytes, 5);
    outbox_settle(&o); /* it has no room to give back */
    put(&o, "third", OUTBOX_FRAME, 0);
    assert_span(outbox_pending(&o), LIT("rstsecondthird"));
    finish(&o);
    put(&o, "again", OUTBOX_FRAME, 0);
    assert_int_equal(count_free(&pool), OUTBOX_ROOMS - 1);
    outbox_done(&o);
    assert_int_equal(count_free(&pool), OUTBOX_ROOMS);
    outbox_pool_done(&pool);
}

/* More than a room holds, of items and then of bytes. */
static void a_room_may_be_too_small(void **state)
{
    struct outbox_pool pool;
    struct outbox o = {.pool = &pool};

    (void)state;
    assert_true(outbox_pool_init(&pool));
    for (size_t i = 0; i <= OUTBOX_ROOM_ITEMS; i++)
        put(&o, "x", OUTBOX_FRAME, (uint32_t)i + 1);
    assert_true(outbox_own_items(&o) > 0);
    assert_int_equal(outbox_own_room(&o), 0);
    assert_true(outbox_holds(&o, 1));
    assert_true(outbox_holds(&o, OUTBOX_ROOM_ITEMS + 1));
    assert_non_null(outbox_reserve(&o, OUTBOX_ROOM_LEN));
    assert_true(outbox_own_room(&o) > OUTBOX_ROOM_LEN);
    assert_int_equal(outbox_pending(&o).len, OUTBOX_ROOM_ITEMS + 1);
    assert_int_equal(count_free(&pool), OUTBOX_ROOMS - 1);
    outbox_settle(&o);
    assert_int_equal(count_free(&pool), OUTBOX_ROOMS);
    outbox_drop_unsent(&o);
    assert_true(outbox_is_empty(&o));
    outbox_done(&o);
    outbox_pool_done(&pool);
}

RUN_TESTS("outbox", cmocka_unit_test(first_in_first_out_in_one_piece),
    cmocka_unit_test(drops_what_is_not_begun),
    cmocka_unit_test(keeps_the_http_response), cmocka_unit_test(random_traffic),
    cmocka_unit_test(rooms_are_lent_and_given_back),
    cmocka_unit_test(who_must_wait_gets_memory_of_its_own),
    cmocka_unit_test(a_room_may_be_too_small));
