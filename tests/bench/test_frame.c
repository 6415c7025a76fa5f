/* The generator's own reading and writing of frames. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "bench/frame.h"

static const size_t lengths[] = {0, 1, 125, 126, 65535, 65536, 262144};

/* Whole at its last byte and not before; what follows is left alone. */
static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint8_t *bytes = calloc(1, FRAME_HEADER_MOST + lengths[i] + 1);
        size_t header = 0;
        size_t whole = 0;
        size_t need = 0;
        struct frame frame;

        assert_non_null(bytes);
        header =
            frame_write_header(bytes, FRAME_TEXT, lengths[i], FRAME_PLAIN, 0);
        whole = header + lengths[i];
        assert_int_equal(
            frame_read(span_of(bytes, whole - 1), &frame, &need), FRAME_PART);
        assert_true(need <= whole);
        assert_int_equal(
            frame_read(span_of(bytes, whole + 1), &frame, &need), FRAME_WHOLE);
        assert_int_equal(frame.kind, FRAME_TEXT);
        assert_int_equal(frame.payload.len, lengths[i]);
        assert_int_equal(frame.len, whole);
        free(bytes);
    }
}

static void test_mask(void **state)
{
    uint8_t bytes[FRAME_HEADER_MOST + 11];
    size_t header =
        frame_write_header(bytes, FRAME_TEXT, 11, FRAME_MASKED, 0x44332211);

    (void)state;
    memcpy(bytes + header, "hello world", 11);
    frame_apply_mask(bytes + header, 11, 0x44332211);
    /* RFC 6455 section 5.3: byte i with byte i mod 4 of the key as sent */
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(
            bytes[header + i] ^ bytes[header - 4 + i % 4], "hello world"[i]);
}

static void test_broken(void **state)
{
    static const uint8_t masked[] = {0x81, 0x80, 1, 2, 3, 4};
    static const uint8_t fragment[] = {0x01, 0x00};
    static const uint8_t reserved[] = {0xC1, 0x00};
    static const uint8_t huge[] = {0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0};
    struct frame frame;
    size_t need = 0;

    (void)state;
    assert_int_equal(frame_read(span_of(masked, sizeof(masked)), &frame, &need),
        FRAME_BROKEN);
    assert_int_equal(
        frame_read(span_of(fragment, sizeof(fragment)), &frame, &need),
        FRAME_BROKEN);
    assert_int_equal(
        frame_read(span_of(reserved, sizeof(reserved)), &frame, &need),
        FRAME_BROKEN);
    assert_int_equal(
        frame_read(span_of(huge, sizeof(huge)), &frame, &need), FRAME_BROKEN);
}

RUN_TESTS("bench/frame", cmocka_unit_test(test_round_trip),
    cmocka_unit_test(test_mask), cmocka_unit_test(test_broken));
