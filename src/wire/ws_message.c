#include "wire/ws_message.h"

#include <assert.h>

#include "base/utf8.h"

enum ws_status ws_message_take(
    struct ws_message *m, const struct ws_header *header, uint64_t message_max)
{
    bool continues = header->opcode == WS_CONT;
    bool in_progress = m->opcode != WS_CONT;

    assert(header->opcode < WS_CLOSE);
    if (continues != in_progress)
        return WS_BAD_SEQUENCE;
    if (m->len > message_max || header->payload_len > message_max - m->len)
        return WS_TOO_BIG;
    m->len += header->payload_len;
    if (!continues)
        m->opcode = header->opcode;
    return WS_OK;
}

void ws_message_end(struct ws_message *m)
{
    *m = (struct ws_message){.opcode = WS_CONT};
}

bool ws_close_may_send(unsigned code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

enum ws_status ws_close_decode(struct span payload, struct ws_close *ret)
{
    unsigned code = 0;
    struct span reason;

    if (payload.len == 0) {
        *ret = (struct ws_close){.code = WS_CLOSE_NO_STATUS};
        return WS_OK;
    }
    if (payload.len < 2 || payload.len > WS_CONTROL_MAX)
        return WS_BAD_CLOSE;
    code = (unsigned)payload.ptr[0] << 8 | payload.ptr[1];
    if (!ws_close_may_send(code))
        return WS_BAD_CLOSE;
    reason = span_from(payload, 2);
    if (!utf8_valid(reason))
        return WS_BAD_UTF8;
    *ret = (struct ws_close){.code = (uint16_t)code, .reason = reason};
    return WS_OK;
}

size_t ws_close_encode(
    uint8_t ret[WS_CLOSE_FRAME_MAX], uint16_t code, struct span reason)
{
    size_t len = 0;
    size_t reason_len = utf8_floor(reason, WS_CONTROL_MAX - 2);

    if (code == WS_CLOSE_NO_STATUS)
        return ws_frame_encode(ret, WS_CLOSE, 0);
    len = ws_frame_encode(ret, WS_CLOSE, 2 + reason_len);
    ret[len++] = (uint8_t)(code >> 8);
    ret[len++] = (uint8_t)(code & 0xff);
    if (reason_len > 0)
        memcpy(ret + len, reason.ptr, reason_len);
    return len + reason_len;
}
