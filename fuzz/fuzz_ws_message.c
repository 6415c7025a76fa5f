/* Sequences of frames, and close payloads there and back. */
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/ws_message.h"

static void sequence(const uint8_t *data, size_t size)
{
    struct ws_message m = {.len = 0};

    for (size_t i = 0; i + 2 <= size; i += 2) {
        struct ws_header h = {
            .opcode = (enum ws_opcode)(data[i] % 3),
            .fin = (data[i] & 0x80) != 0,
            .payload_len = (uint64_t)data[i + 1] << (data[i] >> 2 & 31),
        };
        struct ws_message before = m;
        enum ws_status status = ws_message_take(&m, &h, 1000);

        FUZZ_CHECK(m.len <= 1000);
        if (status != WS_OK)
            FUZZ_CHECK(m.len == before.len && m.opcode == before.opcode);
        else if (h.fin)
            ws_message_end(&m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_close close;
    uint8_t out[WS_CLOSE_FRAME_MAX];

    sequence(data, size);
    if (ws_close_decode(span_of(data, size), &close) != WS_OK)
        return 0;
    FUZZ_CHECK(fuzz_is_inside(close.reason, span_of(data, size)));
    FUZZ_CHECK(utf8_valid(close.reason));
    FUZZ_CHECK(
        close.code == WS_CLOSE_NO_STATUS || ws_close_may_send(close.code));

    size_t len = ws_close_encode(out, close.code, close.reason);

    FUZZ_CHECK(len <= sizeof(out));
    FUZZ_CHECK(ws_close_decode(span_of(out + 2, len - 2), &close) == WS_OK);
    return 0;
}
