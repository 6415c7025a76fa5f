#include "bench/frame.h"

#include <string.h>

enum {
    FINAL = 0x80,
    MASKED = 0x80,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
};

static size_t write_big_endian(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--) {
        out[i - 1] = (uint8_t)value;
        value >>= 8;
    }
    return bytes;
}

static uint64_t read_big_endian(const uint8_t *in, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | in[i];
    return value;
}

size_t frame_write_header(uint8_t *out, enum frame_kind kind,
    size_t payload_len, enum frame_mask mask, uint32_t key)
{
    uint8_t masked = mask == FRAME_MASKED ? MASKED : 0;
    size_t len = 2;

    out[0] = (uint8_t)(FINAL | (unsigned)kind);
    if (payload_len < LENGTH_16) {
        out[1] = (uint8_t)(masked | payload_len);
    } else if (payload_len <= UINT16_MAX) {
        out[1] = (uint8_t)(masked | LENGTH_16);
        len += write_big_endian(out + 2, payload_len, 2);
    } else {
        out[1] = (uint8_t)(masked | LENGTH_64);
        len += write_big_endian(out + 2, payload_len, 8);
    }
    if (mask == FRAME_PLAIN)
        return len;
    memcpy(out + len, &key, sizeof(key));
    return len + sizeof(key);
}

void frame_apply_mask(uint8_t *payload, size_t len, uint32_t key)
{
    uint64_t wide = (uint64_t)key << 32 | key;
    uint8_t bytes[sizeof(wide)];
    size_t at = 0;

    for (; len - at >= sizeof(wide); at += sizeof(wide)) {
        uint64_t word = 0;

        memcpy(&word, payload + at, sizeof(word));
        word ^= wide;
        memcpy(payload + at, &word, sizeof(word));
    }
    memcpy(bytes, &wide, sizeof(bytes));
    for (size_t i = 0; at < len; i++, at++)
        payload[at] ^= bytes[i];
}

enum frame_status frame_read(
    struct span in, struct frame *ret, size_t *ret_need)
{
    size_t header_len = 2;
    uint64_t payload_len = 0;

    *ret_need = header_len;
    if (in.len < header_len)
        return FRAME_PART;
    if ((in.ptr[0] & 0xF0) != FINAL || (in.ptr[1] & MASKED) != 0)
        return FRAME_BROKEN;
    payload_len = in.ptr[1];
    if (payload_len == LENGTH_16)
        header_len += 2;
    if (payload_len == LENGTH_64)
        header_len += 8;
    *ret_need = header_len;
    if (in.len < header_len)
        return FRAME_PART;
    if (header_len > 2)
        payload_len = read_big_endian(in.ptr + 2, header_len - 2);
    if (payload_len > FRAME_PAYLOAD_MOST)
        return FRAME_BROKEN;
    *ret_need = header_len + (size_t)payload_len;
    if (in.len < *ret_need)
        return FRAME_PART;
    *ret = (struct frame){
        .kind = in.ptr[0] & 0x0F,
        .payload = span_of(in.ptr + header_len, (size_t)payload_len),
        .len = *ret_need,
    };
    return FRAME_WHOLE;
}
