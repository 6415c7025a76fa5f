#include "relay/heap.h"

#include "cmocka_all.h"

static void a_few_handshakes_are_not_worth_it(void **state)
{
    struct heap_watch w = {.seen = 0};

    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        assert_false(heap_is_due(&w, i));
    assert_true(heap_is_due(&w, 64));
    assert_false(heap_is_due(&w, 64));
    assert_false(heap_is_due(&w, 127));
    assert_true(heap_is_due(&w, 128));
}

static void a_wave_is_waited_for_but_not_forever(void **state)
{
    struct heap_watch w = {.seen = 0};
    uint64_t handshakes = 0;

    (void)state;
    for (int second = 1; second < 30; second++)
        assert_false(heap_is_due(&w, handshakes += 1000));
    assert_true(heap_is_due(&w, handshakes += 1000));
    assert_false(heap_is_due(&w, handshakes += 1000));
    assert_true(heap_is_due(&w, handshakes += 16)); /* it is over */
    assert_false(heap_is_due(&w, handshakes));
}

RUN_TESTS("heap", cmocka_unit_test(a_few_handshakes_are_not_worth_it),
    cmocka_unit_test(a_wave_is_waited_for_but_not_forever));
