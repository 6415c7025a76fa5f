/* Connections are only pointers here: the registry never looks into one. */
#include "relay/registry.h"

#include <stdio.h>
#include <string.h>

#include "relay/conn.h"

#include "cmocka_all.h"

static struct timer_wheel wheel;
static struct registry r;
static struct conn conns[64];
static size_t expired_phones;
static unsigned expiries;
static unsigned unanswered;

static void on_expired(void *owner, struct conn *const *phones, size_t count)
{
    (void)owner;
    (void)phones;
    expired_phones += count;
    expiries++;
}

static void on_unanswered(struct slot *slot)
{
    (void)slot;
    unanswered++;
}

static int set_up(void **state)
{
    (void)state;
    timer_wheel_init(&wheel, 0);
    expired_phones = 0;
    expiries = 0;
    unanswered = 0;
    return registry_init(&r, &wheel,
        &(struct registry_setup){
            .expired = on_expired,
            .unanswered = on_unanswered,
            .owner = &r,
            .phones_max = LIMIT_PHONES,
        });
}

static int tear_down(void **state)
{
    (void)state;
    registry_done(&r);
    return 0;
}

static enum registry_claim claim(
    const char *id, struct conn *binary, size_t *ret_evicted)
{
    struct registry_evicted evicted = {.count = 0};
    enum registry_claim outcome =
        registry_claim(&r, span_str(id), binary, &binary->slot, &evicted);

    if (ret_evicted != NULL)
        *ret_evicted = evicted.count;
    return outcome;
}

static enum registry_join join(const char *id, struct conn *phone)
{
    return registry_join(&r, span_str(id), phone, &phone->slot);
}

static void one_binary_for_an_id(void **state)
{
    (void)state;
    assert_int_equal(join("a", &conns[9]), REGISTRY_NO_SERVER);
    assert_int_equal(claim("a", &conns[0], NULL), REGISTRY_CLAIMED);
    assert_int_equal(claim("a", &conns[1], NULL), REGISTRY_IN_USE);
    assert_int_equal(claim("b", &conns[1], NULL), REGISTRY_CLAIMED);
    assert_ptr_not_equal(conns[0].slot, conns[1].slot);
    assert_ptr_equal(registry_find(&r, LIT("a"))->binary, &conns[0]);
    assert_int_equal(r.binary_count, 2);
}

static void sixteen_phones(void **state)
{
    (void)state;
    assert_int_equal(claim("a", &conns[0], NULL), REGISTRY_CLAIMED);
    for (size_t i = 1; i <= LIMIT_PHONES; i++)
        assert_int_equal(join("a", &conns[i]), REGISTRY_JOINED);
    assert_int_equal(join("a", &conns[20]), REGISTRY_AT_CAP);
    registry_leave(conns[5].slot, &conns[5]);
    assert_int_equal(join("a", &conns[20]), REGISTRY_JOINED);
    assert_int_equal(r.phone_count, LIMIT_PHONES);
}

static void grace_keeps_phones_and_ends(void **state)
{
    (void)state;
    assert_int_equal(claim("a", &conns[0], NULL), REGISTRY_CLAIMED);
    assert_int_equal(join("a", &conns[1]), REGISTRY_JOINED);
    registry_release(conns[0].slot, &conns[0], 0);
    assert_int_equal(r.binary_count, 0);
    assert_int_equal(join("a", &conns[2]), REGISTRY_JOINED);
    timer_wheel_advance(&wheel, LIMIT_GRACE_MS - TIMER_TICK_MS);
    assert_int_equal(expiries, 0);
    timer_wheel_advance(&wheel, LIMIT_GRACE_MS + 2 * TIMER_TICK_MS);
    assert_int_equal(expiries, 1);
    assert_int_equal(expired_phones, 2);
    assert_null(registry_find(&r, LIT("a")));
    assert_int_equal(r.phone_count, 0);
    assert_int_equal(r.slot_count, 0);
}

static void reclaim_evicts_and_disarms(void **state)
{
    size_t evicted = 0;

    (void)state;
    assert_int_equal(claim("a", &conns[0], NULL), REGISTRY_CLAIMED);
    assert_int_equal(join("a", &conns[1]), REGISTRY_JOINED);
    registry_release(conns[0].slot, &conns[0], 0);
    timer_wheel_advance(&wheel, LIMIT_GRACE_MS / 2);
    assert_int_equal(claim("a", &conns[2], &evicted), REGISTRY_CLAIMED);
    assert_int_equal(evicted, 1);
    assert_int_equal(r.phone_count, 0);
    timer_wheel_advance(&wheel, 10 * LIMIT_GRACE_MS);
    assert_int_equal(expiries, 0);
    assert_ptr_equal(registry_find(&r, LIT("a"))->binary, &conns[2]);
    /* The displaced binary's end is not the new one's. */
    registry_release(conns[2].slot, &conns[0], 0);
    assert_ptr_equal(registry_find(&r, LIT("a"))->binary, &conns[2]);
}

static void many_ids(void **state)
{
    char id[32];

    (void)state;
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        assert_int_equal(claim(id, &conns[0], NULL), REGISTRY_CLAIMED);
    }
    assert_int_equal(r.slot_count, 3000);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        assert_span(
            registry_slot_id(registry_find(&r, span_str(id))), span_str(id));
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("registry", CASE(one_binary_for_an_id), CASE(sixteen_phones),
    CASE(grace_keeps_phones_and_ends), CASE(reclaim_evicts_and_disarms),
    CASE(many_ids));
