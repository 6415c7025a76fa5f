#include "net/tls_hello_size.h"

enum { HANDSHAKE = 22 }; /* a content type */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void take_message_header(struct tls_hello_size *at, uint8_t byte)
{
    at->message[at->message_have++] = byte;
    if (at->message_have < TLS_MESSAGE_HEADER_LEN)
        return;
    at->message_have = 0;
    at->message_left = (uint32_t)at->message[1] << 16 |
                       (uint32_t)at->message[2] << 8 | at->message[3];
    if (at->message_left > at->largest)
        at->largest = at->message_left;
}

static void take_payload(
    struct tls_hello_size *at, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t body = least(len - i, at->message_left);

        at->message_left -= (uint32_t)body;
        i += body;
        if (i < len)
            take_message_header(at, bytes[i++]);
    }
}

static void take_record_header(struct tls_hello_size *at, uint8_t byte)
{
    at->record[at->record_have++] = byte;
    if (at->record_have < TLS_RECORD_HEADER_LEN)
        return;
    at->record_have = 0;
    at->record_left = (uint16_t)(at->record[3] << 8 | at->record[4]);
}

void tls_hello_size_feed(
    struct tls_hello_size *at, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t payload = least(len - i, at->record_left);

        if (at->record[0] == HANDSHAKE)
            take_payload(at, bytes + i, payload);
        at->record_left = (uint16_t)(at->record_left - payload);
        i += payload;
        if (i < len)
            take_record_header(at, bytes[i++]);
    }
}
