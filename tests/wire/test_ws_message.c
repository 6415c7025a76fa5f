#include "wire/ws_message.h"

#include <string.h>

#include "cmocka_all.h"

static enum ws_status take(
    struct ws_message *m, enum ws_opcode opcode, bool fin, uint64_t len)
{
    return ws_message_take(m,
        &(struct ws_header){.opcode = opcode, .fin = fin, .payload_len = len},
        100);
}

static void fragments_come_in_order(void **state)
{
    struct ws_message m = {.len = 0};

    (void)state;
    assert_int_equal(take(&m, WS_CONT, true, 1), WS_BAD_SEQUENCE);
    assert_int_equal(take(&m, WS_TEXT, false, 1), WS_OK);
    assert_int_equal(take(&m, WS_TEXT, true, 1), WS_BAD_SEQUENCE);
    assert_int_equal(take(&m, WS_BINARY, true, 1), WS_BAD_SEQUENCE);
    assert_int_equal(take(&m, WS_CONT, true, 1), WS_OK);
    assert_int_equal(m.opcode, WS_TEXT);
    ws_message_end(&m);
    assert_int_equal(take(&m, WS_CONT, true, 1), WS_BAD_SEQUENCE);
    assert_int_equal(take(&m, WS_BINARY, true, 1), WS_OK);
}

static void the_limit_is_on_the_whole_message(void **state)
{
    struct ws_message m = {.len = 0};

    (void)state;
    assert_int_equal(take(&m, WS_TEXT, false, 60), WS_OK);
    assert_int_equal(take(&m, WS_CONT, false, 41), WS_TOO_BIG);
    assert_int_equal(take(&m, WS_CONT, false, 40), WS_OK);
    assert_int_equal(take(&m, WS_CONT, true, 1), WS_TOO_BIG);
    assert_int_equal(take(&m, WS_CONT, true, 0), WS_OK);
    ws_message_end(&m);
    assert_int_equal(take(&m, WS_TEXT, true, 101), WS_TOO_BIG);
    assert_int_equal(take(&m, WS_TEXT, true, UINT64_MAX), WS_TOO_BIG);
}

static void close_payloads(void **state)
{
    const struct {
        struct span in;
        enum ws_status want;
        uint16_t code;
        size_t reason_len;
    } cases[] = {
        {LIT(""), WS_OK, 1005, 0}, {LIT("\x03"), WS_BAD_CLOSE, 0, 0},
        {LIT("\x03\xe8"), WS_OK, 1000, 0},
        {LIT("\x03\xe8gone"), WS_OK, 1000, 4},
        {LIT("\x03\xe8\xc3\xa4"), WS_OK, 1000, 2},
        {LIT("\x03\xe8\xc3"), WS_BAD_UTF8, 0, 0},
        {LIT("\x03\xed"), WS_BAD_CLOSE, 0, 0}, /* 1005 */
        {LIT("\x03\xe7"), WS_BAD_CLOSE, 0, 0}, /* 999 */
        {LIT("\x11\x31"), WS_OK, 4401, 0},
        {LIT("\x13\x88"), WS_BAD_CLOSE, 0, 0}, /* 5000 */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ws_close got = {.code = 0};

        assert_int_equal(ws_close_decode(cases[i].in, &got), cases[i].want);
        if (cases[i].want == WS_OK) {
            assert_int_equal(got.code, cases[i].code);
            assert_int_equal(got.reason.len, cases[i].reason_len);
        }
    }
}

static void codes_that_may_be_sent(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 70000; code++) {
        bool want = (code >= 1000 && code <= 1003) ||
                    (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);

        assert_int_equal(ws_close_may_send(code), want);
    }
}

static void a_close_frame_fits_whatever_the_reason(void **state)
{
    uint8_t out[WS_CLOSE_FRAME_MAX];
    char reason[200];

    (void)state;
    assert_int_equal(ws_close_encode(out, 1001, LIT("shutting down")), 17);
    assert_memory_equal(out, "\x88\x0f\x03\xe9shutting down", 17);
    assert_int_equal(ws_close_encode(out, 1005, LIT("unsaid")), 2);
    assert_memory_equal(out, "\x88\x00", 2);
    for (size_t i = 0; i < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa4", 2);
    assert_int_equal(
        ws_close_encode(out, 1000, span_of(reason, sizeof(reason))),
        2 + 2 + 122);
    assert_int_equal(out[2 + 2 + 121], 0xa4); /* no half character */
}

RUN_TESTS("ws_message", cmocka_unit_test(fragments_come_in_order),
    cmocka_unit_test(the_limit_is_on_the_whole_message),
    cmocka_unit_test(close_payloads), cmocka_unit_test(codes_that_may_be_sent),
    cmocka_unit_test(a_close_frame_fits_whatever_the_reason));
