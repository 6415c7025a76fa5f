/* Header, unmask, encode: what is decoded keeps its bounds. */
#include "fuzz.h"
#include "wire/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_header h;
    uint8_t out[WS_SERVER_HEADER_MAX];
    uint8_t payload[128];
    enum ws_status status = ws_frame_decode(span_of(data, size), 262144, &h);

    if (status != WS_OK) {
        /* More bytes never help what is wrong, and never hurt it. */
        FUZZ_CHECK(status != WS_MORE || size < WS_HEADER_MAX);
        return 0;
    }
    FUZZ_CHECK(h.header_len >= 6 && h.header_len <= WS_HEADER_MAX);
    FUZZ_CHECK(h.header_len <= size && h.payload_len <= 262144);
    for (size_t cut = 0; cut < h.header_len; cut++)
        FUZZ_CHECK(ws_frame_decode(span_of(data, cut), 262144, &h) == WS_MORE);
    FUZZ_CHECK(ws_frame_decode(span_of(data, size), 262144, &h) == WS_OK);
    FUZZ_CHECK(
        ws_frame_encode(out, h.opcode, h.payload_len) + 4 <= h.header_len);

    size_t len = size - h.header_len;

    if (len > sizeof(payload))
        len = sizeof(payload);
    memcpy(payload, data + h.header_len, len);
    ws_frame_unmask(payload, len, h.mask, 3);
    ws_frame_unmask(payload, len, h.mask, 3);
    FUZZ_CHECK(memcmp(payload, data + h.header_len, len) == 0);
    return 0;
}
