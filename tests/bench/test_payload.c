/* Any byte that is not as it was written is seen. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "bench/payload.h"

static const size_t sizes[] = {PAYLOAD_LEAST, PAYLOAD_LEAST + 1, 128, 4096};

static void test_intact(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct payload p;
        uint8_t *value = malloc(sizes[i]);
        uint32_t pair = 0;
        uint64_t sequence = 0;

        assert_int_equal(payload_init(&p, sizes[i]), 0);
        assert_non_null(value);
        payload_write(&p, 0xDEADBEEF, UINT64_C(0x123456789ABC), value);
        assert_true(
            payload_is_intact(&p, span_of(value, sizes[i]), &pair, &sequence));
        assert_int_equal(pair, 0xDEADBEEF);
        assert_int_equal(sequence, UINT64_C(0x123456789ABC));
        free(value);
        payload_done(&p);
    }
}

static void test_every_flipped_bit_is_seen(void **state)
{
    struct payload p;
    uint8_t value[200];
    uint32_t pair = 0;
    uint64_t sequence = 0;

    (void)state;
    assert_int_equal(payload_init(&p, sizeof(value)), 0);
    payload_write(&p, 7, 11, value);
    for (size_t bit = 0; bit < sizeof(value) * 8; bit++) {
        bool was_read = false;

        value[bit / 8] ^= (uint8_t)(1U << bit % 8);
        was_read = payload_is_intact(
            &p, span_of(value, sizeof(value)), &pair, &sequence);
        /* a digit of a number may become another digit: then it names it */
        assert_true(!was_read || pair != 7 || sequence != 11);
        value[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    payload_done(&p);
}

static void test_another_length_is_seen(void **state)
{
    struct payload p;
    uint8_t value[129];
    uint32_t pair = 0;
    uint64_t sequence = 0;

    (void)state;
    assert_int_equal(payload_init(&p, 128), 0);
    payload_write(&p, 1, 1, value);
    value[128] = '}';
    assert_false(payload_is_intact(&p, span_of(value, 127), &pair, &sequence));
    assert_false(payload_is_intact(&p, span_of(value, 129), &pair, &sequence));
    assert_false(payload_is_intact(&p, span_of(value, 0), &pair, &sequence));
    payload_done(&p);
}

RUN_TESTS("bench/payload", cmocka_unit_test(test_intact),
    cmocka_unit_test(test_every_flipped_bit_is_seen),
    cmocka_unit_test(test_another_length_is_seen));
