#include "relay/address_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

#include "cmocka_all.h"

static const struct siphash_key secret = {.k0 = 17, .k1 = 4};

static const struct address_limits defaults = {
    .burst = 20,
    .interval_ms = 6000,
    .pending_max = 3,
    .connections_max = 2,
    .accounts_max = 8,
};

static struct address_table *table_of(struct address_limits limits)
{
    struct address_table *table = address_table_new(&limits, secret);

    assert_non_null(table);
    return table;
}

static struct address_key key_of(const char *text)
{
    struct ip_address ip;

    assert_true(ip_address_parse(span_str(text), &ip));
    return address_key_of_ip(&ip);
}

static struct address_key numbered(unsigned n)
{
    struct ip_address ip = {
        .bytes = {0x20, 0x01, [4] = (uint8_t)(n >> 24), (uint8_t)(n >> 16),
            (uint8_t)(n >> 8), (uint8_t)n}};

    return address_key_of_ip(&ip);
}

static enum address_verdict take(
    struct address_table *table, const char *who, uint64_t now_ms)
{
    struct address_key key = key_of(who);

    return address_table_take_token(table, &key, now_ms);
}

static unsigned take_all(
    struct address_table *table, const char *who, uint64_t now_ms)
{
    unsigned taken = 0;

    while (take(table, who, now_ms) == ADDRESS_ADMITTED)
        taken++;
    return taken;
}

/* Number 26 of the checklist, and its edges. */
static void twenty_at_once_and_one_for_each_interval(void **state)
{
    struct address_table *table = table_of(defaults);

    (void)state;
    assert_int_equal(take_all(table, "192.0.2.1", 1000), 20);
    assert_int_equal(take(table, "192.0.2.1", 1000), ADDRESS_RATE_LIMITED);
    assert_int_equal(take(table, "192.0.2.1", 6999), ADDRESS_RATE_LIMITED);
    assert_int_equal(take(table, "192.0.2.1", 7000), ADDRESS_ADMITTED);
    assert_int_equal(take(table, "192.0.2.1", 7000), ADDRESS_RATE_LIMITED);
    /* The remainder is carried: 11,999 ms are one token and 5,999 ms. */
    assert_int_equal(take_all(table, "192.0.2.1", 18999), 1);
    assert_int_equal(take_all(table, "192.0.2.1", 19000), 1);
    /* Refused attempts cost nothing, others are not touched. */
    assert_int_equal(take_all(table, "192.0.2.2", 19000), 20);
    /* One short of full, full, and never more than that. */
    assert_int_equal(take_all(table, "192.0.2.1", 19000 + 119999), 19);
    address_table_free(table);
}

static void a_bucket_never_holds_more_than_burst(void **state)
{
    struct address_table *table = table_of(defaults);

    (void)state;
    assert_int_equal(take_all(table, "192.0.2.1", 0), 20);
    assert_int_equal(take_all(table, "192.0.2.1", 120000), 20);
    assert_int_equal(take_all(table, "192.0.2.1", 1000000000), 20);
    /* An interval counts from when the bucket was last full. */
    assert_int_equal(take(table, "192.0.2.2", 5000), ADDRESS_ADMITTED);
    assert_int_equal(take_all(table, "192.0.2.2", 10999), 19);
    assert_int_equal(take_all(table, "192.0.2.2", 11000), 1);
    address_table_free(table);
}

/* The rule in other words: tokens, and when the last one came. */
struct model {
    uint64_t tokens;
    uint64_t last_ms;
};

static bool model_take(struct model *m, uint64_t now_ms)
{
    uint64_t gained = (now_ms - m->last_ms) / 6000;

    m->tokens += gained;
    m->last_ms += gained * 6000;
    if (m->tokens >= 20) {
        m->tokens = 20;
        m->last_ms = now_ms;
    }
    if (m->tokens == 0)
        return false;
    m->tokens--;
    return true;
}

static void buckets_agree_with_a_model_of_tokens(void **state)
{
    struct address_table *table = table_of(defaults);
    struct model models[4] = {
        {.tokens = 20}, {.tokens = 20}, {.tokens = 20}, {.tokens = 20}};
    uint64_t random = 1;
    uint64_t now_ms = 0;
    unsigned refused = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        unsigned who = 0;
        struct address_key key;
        bool want = false;

        random =
            random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963);
        who = (random >> 60) & 3;
        /* Mostly dense, now and then a pause. */
        now_ms += (random >> 40) % ((random >> 33) % 64 == 0 ? 200000 : 1200);
        key = numbered(who);
        want = model_take(&models[who], now_ms);
        refused += !want;
        assert_int_equal(address_table_take_token(table, &key, now_ms),
            want ? ADDRESS_ADMITTED : ADDRESS_RATE_LIMITED);
    }
    assert_in_range(refused, 1000, 199000);
    address_table_free(table);
}

static void whom_an_attempt_is_accounted_to(void **state)
{
    struct address_table *table = table_of(defaults);
    struct address_key text = address_table_key_of_text(table, LIT("a name"));
    struct address_key same = address_table_key_of_text(table, LIT("a name"));
    struct address_key other = address_table_key_of_text(table, LIT("b name"));
    struct address_key ip = key_of("192.0.2.1");
    struct address_key literal =
        address_table_key_of_text(table, LIT("192.0.2.1"));

    (void)state;
    assert_int_equal(take_all(table, "2001:db8:0:1::1", 0), 20);
    assert_int_equal(take(table, "2001:db8:0:1:ff::2", 0),
        ADDRESS_RATE_LIMITED); /* its /64 */
    assert_int_equal(take_all(table, "2001:db8:0:2::1", 0), 20);
    assert_int_equal(take_all(table, "::ffff:192.0.2.9", 0), 20);
    assert_int_equal(take(table, "192.0.2.9", 0), ADDRESS_RATE_LIMITED);
    assert_memory_equal(&text, &same, sizeof(text));
    assert_memory_not_equal(&text, &other, sizeof(text));
    assert_memory_equal(&literal, &ip, sizeof(ip));
    /* A text is never an address, whatever it hashes to. */
    ip.words[0] = text.words[0];
    ip.words[1] = text.words[1];
    for (int i = 0; i < 20; i++)
        assert_int_equal(
            address_table_take_token(table, &ip, 0), ADDRESS_ADMITTED);
    assert_int_equal(
        address_table_take_token(table, &ip, 0), ADDRESS_RATE_LIMITED);
    assert_int_equal(
        address_table_take_token(table, &text, 0), ADDRESS_ADMITTED);
    address_table_free(table);
}

static void connections_have_caps_of_their_own(void **state)
{
    struct address_table *table = table_of(defaults);
    struct address_key key = key_of("192.0.2.1");
    struct address_hold holds[6] = {{.account = NULL}};
    struct address_stats stats;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            address_table_open(table, &key, 0, &holds[i]), ADDRESS_ADMITTED);
    assert_int_equal(
        address_table_open(table, &key, 0, &holds[3]), ADDRESS_AT_CAP);
    assert_null(holds[3].account);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            address_table_upgrade(table, &holds[i]), ADDRESS_ADMITTED);
    /* Refused, it goes on as a pending one. */
    assert_int_equal(address_table_upgrade(table, &holds[2]), ADDRESS_AT_CAP);
    stats = address_table_stats(table);
    assert_int_equal(stats.pending, 1);
    assert_int_equal(stats.connections, 2);
    assert_int_equal(
        address_table_open(table, &key, 0, &holds[3]), ADDRESS_ADMITTED);
    assert_int_equal(
        address_table_open(table, &key, 0, &holds[4]), ADDRESS_ADMITTED);
    assert_int_equal(
        address_table_open(table, &key, 0, &holds[5]), ADDRESS_AT_CAP);
    /* One that ends makes room for one. */
    address_table_close(table, &holds[0]);
    assert_int_equal(address_table_upgrade(table, &holds[2]), ADDRESS_ADMITTED);
    assert_int_equal(address_table_upgrade(table, &holds[3]), ADDRESS_AT_CAP);
    for (int i = 0; i < 6; i++)
        address_table_close(table, &holds[i]);
    address_table_close(table, &holds[0]);
    stats = address_table_stats(table);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.refused, 0);
    address_table_free(table);
}

static void zero_is_no_limit(void **state)
{
    struct address_table *table =
        table_of((struct address_limits){.interval_ms = 1, .accounts_max = 1});
    struct address_key key = key_of("192.0.2.1");
    static struct address_hold holds[1000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
        assert_int_equal(
            address_table_take_token(table, &key, 0), ADDRESS_ADMITTED);
        assert_int_equal(
            address_table_open(table, &key, 0, &holds[i]), ADDRESS_ADMITTED);
        assert_int_equal(
            address_table_upgrade(table, &holds[i]), ADDRESS_ADMITTED);
    }
    for (size_t i = 0; i < ARRAY_LEN(holds); i++)
        address_table_close(table, &holds[i]);
    address_table_free(table);
}

static void a_full_table_refuses_new_addresses_only(void **state)
{
    struct address_table *table = table_of(defaults);
    struct address_hold hold = {.account = NULL};
    struct address_key key;

    (void)state;
    /* The first empties its bucket, the others take one token each. */
    assert_int_equal(take_all(table, "192.0.2.1", 0), 20);
    for (unsigned i = 1; i < 8; i++) {
        key = numbered(i);
        assert_int_equal(
            address_table_take_token(table, &key, i), ADDRESS_ADMITTED);
    }
    key = numbered(100);
    assert_int_equal(
        address_table_take_token(table, &key, 6000), ADDRESS_TABLE_FULL);
    assert_int_equal(
        address_table_open(table, &key, 6000, &hold), ADDRESS_TABLE_FULL);
    assert_null(hold.account);
    assert_int_equal(address_table_stats(table).refused, 2);
    key = numbered(3);
    assert_int_equal(
        address_table_take_token(table, &key, 6000), ADDRESS_ADMITTED);
    /* At 6001 the first of the seven is full again, and is the one to go,
     * although the emptied one is older. */
    key = numbered(100);
    assert_int_equal(
        address_table_take_token(table, &key, 6001), ADDRESS_ADMITTED);
    key = numbered(101);
    assert_int_equal(
        address_table_take_token(table, &key, 6001), ADDRESS_TABLE_FULL);
    assert_int_equal(take_all(table, "192.0.2.1", 6001), 1);
    assert_int_equal(address_table_stats(table).accounts, 8);
    address_table_free(table);
}

static void a_held_account_is_never_reused(void **state)
{
    struct address_limits limits = defaults;
    struct address_table *table = NULL;
    struct address_hold a = {.account = NULL};
    struct address_hold b = {.account = NULL};
    struct address_key key = numbered(1);

    (void)state;
    limits.accounts_max = 1;
    table = table_of(limits);
    assert_int_equal(address_table_open(table, &key, 0, &a), ADDRESS_ADMITTED);
    assert_int_equal(address_table_upgrade(table, &a), ADDRESS_ADMITTED);
    key = numbered(2);
    assert_int_equal(
        address_table_open(table, &key, UINT32_MAX, &b), ADDRESS_TABLE_FULL);
    address_table_close(table, &a);
    assert_int_equal(
        address_table_open(table, &key, UINT32_MAX, &b), ADDRESS_ADMITTED);
    address_table_close(table, &b);
    address_table_free(table);
}

/* What a million addresses in turn do to a table of a few. */
static void claims_of_many_addresses_stay_within_bounds(void **state)
{
    struct address_limits limits = defaults;
    struct address_table *table = NULL;
    unsigned admitted = 0;

    (void)state;
    limits.accounts_max = 4096;
    table = table_of(limits);
    for (unsigned i = 0; i < 1000000; i++) {
        struct address_key key = numbered(i);

        /* 1,000 a second: 6,000 of them are not full again at any time. */
        admitted +=
            address_table_take_token(table, &key, i) == ADDRESS_ADMITTED;
    }
    assert_int_equal(address_table_stats(table).accounts, 4096);
    assert_int_equal(address_table_stats(table).refused, 1000000 - admitted);
    /* An account serves one address in 6 s; stripes fill unevenly. */
    assert_in_range(admitted, 640000, 686763);
    address_table_free(table);
}

enum { THREADS = 4, ROUNDS = 20000 };

struct crowd {
    struct address_table *table;
    atomic_uint admitted;
    atomic_uint open;
    atomic_uint broken;
};

/* One address from every thread: no token and no place is given twice. */
static void *push(void *arg)
{
    struct crowd *crowd = arg;
    struct address_key key = key_of("192.0.2.1");

    for (int i = 0; i < ROUNDS; i++) {
        struct address_hold hold = {.account = NULL};
        struct address_key mine = numbered((unsigned)i);

        if (address_table_take_token(crowd->table, &key, 0) == ADDRESS_ADMITTED)
            atomic_fetch_add(&crowd->admitted, 1);
        if (address_table_take_token(crowd->table, &mine, 0) ==
            ADDRESS_TABLE_FULL)
            atomic_fetch_add(&crowd->broken, 1);
        if (address_table_open(crowd->table, &key, 0, &hold) !=
            ADDRESS_ADMITTED)
            continue;
        if (address_table_upgrade(crowd->table, &hold) == ADDRESS_ADMITTED) {
            if (atomic_fetch_add(&crowd->open, 1) >= 2)
                atomic_fetch_add(&crowd->broken, 1);
            atomic_fetch_sub(&crowd->open, 1);
        }
        address_table_close(crowd->table, &hold);
    }
    return NULL;
}

static void threads_share_one_account(void **state)
{
    struct address_limits limits = defaults;
    struct crowd crowd = {.table = NULL};
    pthread_t threads[THREADS];
    struct address_stats stats;

    (void)state;
    limits.accounts_max = 65536;
    crowd.table = table_of(limits);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push, &crowd), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.admitted), 20);
    assert_int_equal(atomic_load(&crowd.broken), 0);
    stats = address_table_stats(crowd.table);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.refused, 0);
    assert_int_equal(stats.accounts, ROUNDS + 1);
    address_table_free(crowd.table);
}

RUN_TESTS("address_table",
    cmocka_unit_test(twenty_at_once_and_one_for_each_interval),
    cmocka_unit_test(a_bucket_never_holds_more_than_burst),
    cmocka_unit_test(buckets_agree_with_a_model_of_tokens),
    cmocka_unit_test(whom_an_attempt_is_accounted_to),
    cmocka_unit_test(connections_have_caps_of_their_own),
    cmocka_unit_test(zero_is_no_limit),
    cmocka_unit_test(a_full_table_refuses_new_addresses_only),
    cmocka_unit_test(a_held_account_is_never_reused),
    cmocka_unit_test(claims_of_many_addresses_stay_within_bounds),
    cmocka_unit_test(threads_share_one_account));
