#include "wire/ws_frame.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#define LIMIT 262144U

struct decode_case {
    struct span in;
    enum ws_status want;
};

static void refuses_what_a_client_may_not_send(void **state)
{
    const struct decode_case cases[] = {
        {LIT(""), WS_MORE},
        {LIT("\x81"), WS_MORE},
        {LIT("\x81\x80"), WS_MORE},
        {LIT("\x81\x80mas"), WS_MORE},
        {LIT("\x81\x80mask"), WS_OK},
        {LIT("\x81\xfe\x00"), WS_MORE},
        {LIT("\x81\xfe\x00\x7emask"), WS_OK},
        {LIT("\x81\xfe\x00\x7dmask"), WS_BAD_LENGTH},
        {LIT("\x81\xff\0\0\0\0\0\1\0\0mask"), WS_OK},
        {LIT("\x81\xff\0\0\0\0\0\0\xff\xffmask"), WS_BAD_LENGTH},
        {LIT("\x81\xff\0\0\0\0\0\4\0\0mask"), WS_OK},
        {LIT("\x81\xff\0\0\0\0\0\4\0\1mask"), WS_TOO_BIG},
        {LIT("\x81\xff\x80\0\0\0\0\0\0\0mask"), WS_BAD_LENGTH},
        {LIT("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask"), WS_TOO_BIG},
        {LIT("\x81\0mask"), WS_BAD_MASK},
        {LIT("\xc1\x80mask"), WS_BAD_RESERVED},
        {LIT("\xa1\x80mask"), WS_BAD_RESERVED},
        {LIT("\x91\x80mask"), WS_BAD_RESERVED},
        {LIT("\x83\x80mask"), WS_BAD_OPCODE},
        {LIT("\x8b\x80mask"), WS_BAD_OPCODE},
        {LIT("\x09\x80mask"), WS_BAD_CONTROL},
        {LIT("\x89\xfe\x00\x7emask"), WS_BAD_CONTROL},
        {LIT("\x89\xfdmask"), WS_OK},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ws_header header;

        assert_int_equal(
            ws_frame_decode(cases[i].in, LIMIT, &header), cases[i].want);
    }
}

static void reads_every_field(void **state)
{
    struct ws_header header;

    (void)state;
    assert_int_equal(
        ws_frame_decode(LIT("\x02\xfe\x01\x02wxyzrest"), LIMIT, &header),
        WS_OK);
    assert_int_equal(header.opcode, WS_BINARY);
    assert_false(header.fin);
    assert_int_equal(header.payload_len, 258);
    assert_int_equal(header.header_len, 8);
    assert_memory_equal(header.mask, "wxyz", 4);
}

/* The wide XOR against the byte-wise one of RFC 6455 section 5.3, at every
 * length, offset and alignment that its steps can meet.  What stands around
 * is left alone. */
static void masks_like_the_rfc(void **state)
{
    static const uint8_t mask[WS_MASK_LEN] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t plain[330];
    uint8_t want[sizeof(plain)];
    uint8_t got[sizeof(plain)];

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * 7 + 3);
    for (size_t len = 0; len <= 320; len++)
        for (size_t offset = 0; offset < 8; offset++)
            for (size_t align = 0; align < 8; align++) {
                memcpy(got, plain, sizeof(got));
                memcpy(want, plain, sizeof(want));
                for (size_t i = 0; i < len; i++)
                    want[align + i] ^= mask[(i + offset) % WS_MASK_LEN];
                ws_frame_unmask(got + align, len, mask, offset);
                assert_memory_equal(got, want, sizeof(want));
                ws_frame_unmask(got + align, len, mask, offset);
                assert_memory_equal(got, plain, sizeof(plain));
            }
}

static void encodes_the_shortest_length(void **state)
{
    uint8_t out[WS_SERVER_HEADER_MAX];

    (void)state;
    assert_int_equal(ws_frame_encode(out, WS_TEXT, 0), 2);
    assert_memory_equal(out, "\x81\x00", 2);
    assert_int_equal(ws_frame_encode(out, WS_PING, 125), 2);
    assert_memory_equal(out, "\x89\x7d", 2);
    assert_int_equal(ws_frame_encode(out, WS_TEXT, 126), 4);
    assert_memory_equal(out, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(ws_frame_encode(out, WS_TEXT, 65535), 4);
    assert_memory_equal(out, "\x81\x7e\xff\xff", 4);
    assert_int_equal(ws_frame_encode(out, WS_TEXT, 65536), 10);
    assert_memory_equal(out, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
}

static void every_status_has_a_text_and_a_code(void **state)
{
    (void)state;
    for (int s = WS_OK; s <= WS_TOO_BIG; s++) {
        assert_true(strlen(ws_frame_text((enum ws_status)s)) > 0);
        if (s > WS_MORE)
            assert_in_range(ws_frame_close_code((enum ws_status)s), 1002, 1009);
    }
}

RUN_TESTS("ws_frame", cmocka_unit_test(refuses_what_a_client_may_not_send),
    cmocka_unit_test(reads_every_field), cmocka_unit_test(masks_like_the_rfc),
    cmocka_unit_test(encodes_the_shortest_length),
    cmocka_unit_test(every_status_has_a_text_and_a_code));
