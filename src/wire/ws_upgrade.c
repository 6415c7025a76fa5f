#include "wire/ws_upgrade.h"

#include <assert.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const struct {
    const char *text;
    unsigned code;
} statuses[] = {
#define X(name, code, text) [name] = {text, code},
    WS_UPGRADE_LIST(X)
#undef X
};

/* The value of a base64 digit, -1 if it is none. */
static int digit_of(uint8_t c)
{
    const char *found =
        c == '\0' ? NULL : memchr(alphabet, c, sizeof(alphabet) - 1);

    return found == NULL ? -1 : (int)(found - alphabet);
}

/* Base64 of exactly 16 bytes: 22 digits, the last with four zero bits, and
 * two pads. */
static bool is_key(struct span key)
{
    if (key.len != WS_KEY_LEN || memcmp(key.ptr + 22, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (digit_of(key.ptr[i]) < 0)
            return false;
    }
    return (digit_of(key.ptr[21]) & 0xf) == 0;
}

enum ws_upgrade_status ws_upgrade_check(const struct http_head *head)
{
    if (head->minor < 1 || !http_head_lists(head, "Connection", "upgrade") ||
        !http_head_lists(head, "Upgrade", "websocket"))
        return WS_UPGRADE_NONE;
    if (!span_eq(head->method, span_of("GET", 3)))
        return WS_UPGRADE_METHOD;
    if (!span_eq(
            http_head_get(head, "Sec-WebSocket-Version"), span_of("13", 2)))
        return WS_UPGRADE_VERSION;
    if (!is_key(http_head_get(head, "Sec-WebSocket-Key")))
        return WS_UPGRADE_KEY;
    return WS_UPGRADE_OK;
}

void ws_upgrade_challenge(
    const struct http_head *head, uint8_t ret[WS_CHALLENGE_LEN])
{
    struct span key = http_head_get(head, "Sec-WebSocket-Key");

    assert(key.len == WS_KEY_LEN);
    memcpy(ret, key.ptr, WS_KEY_LEN);
    memcpy(ret + WS_KEY_LEN, guid, WS_CHALLENGE_LEN - WS_KEY_LEN);
}

void ws_upgrade_accept(
    const uint8_t digest[WS_DIGEST_LEN], uint8_t ret[WS_ACCEPT_LEN])
{
    size_t to = 0;

    for (size_t i = 0; i < WS_DIGEST_LEN; i += 3) {
        uint32_t left = WS_DIGEST_LEN - (uint32_t)i;
        uint32_t group = (uint32_t)digest[i] << 16;

        if (left > 1)
            group |= (uint32_t)digest[i + 1] << 8;
        if (left > 2)
            group |= digest[i + 2];
        for (unsigned k = 0; k < 4; k++) {
            ret[to++] =
                (uint8_t)(k > left ? '='
                                   : alphabet[group >> (18 - 6 * k) & 0x3f]);
        }
    }
    assert(to == WS_ACCEPT_LEN);
}

unsigned ws_upgrade_code(enum ws_upgrade_status status)
{
    assert(status < ARRAY_LEN(statuses));
    return statuses[status].code;
}

const char *ws_upgrade_text(enum ws_upgrade_status status)
{
    assert(status < ARRAY_LEN(statuses));
    return statuses[status].text;
}
