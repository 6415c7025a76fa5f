/*
 * ws_upgrade: the opening handshake as a server sees it, RFC 6455 section 4.2.
 *
 * Pure; the SHA-1 digest is computed by the caller and passed in.
 */
#pragma once

#include "wire/http_head.h"

/* name, status code to answer, text */
#define WS_UPGRADE_LIST(X)                                                     \
    X(WS_UPGRADE_OK, 101, "valid handshake")                                   \
    X(WS_UPGRADE_NONE, 426, "not a WebSocket upgrade request")                 \
    X(WS_UPGRADE_METHOD, 405, "method is not GET")                             \
    X(WS_UPGRADE_VERSION, 400, "Sec-WebSocket-Version is not 13")              \
    X(WS_UPGRADE_KEY, 400, "Sec-WebSocket-Key is not base64 of 16 bytes")

enum ws_upgrade_status {
#define X(name, code, text) name,
    WS_UPGRADE_LIST(X)
#undef X
};

enum {
    WS_KEY_LEN = 24,                    /* base64 of 16 bytes */
    WS_CHALLENGE_LEN = WS_KEY_LEN + 36, /* the key and the GUID */
    WS_DIGEST_LEN = 20,                 /* SHA-1 */
    WS_ACCEPT_LEN = 28,                 /* base64 of the digest */
};

/* Judge the head in this order: HTTP version, Connection and Upgrade tokens;
 * method; version; key. */
MUST_CHECK NONNULL enum ws_upgrade_status ws_upgrade_check(
    const struct http_head *head);

/* The bytes whose SHA-1 digest proves the handshake; head passed the check. */
NONNULL void ws_upgrade_challenge(
    const struct http_head *head, uint8_t ret[WS_CHALLENGE_LEN]);

/* The value of Sec-WebSocket-Accept, not NUL-terminated. */
NONNULL void ws_upgrade_accept(
    const uint8_t digest[WS_DIGEST_LEN], uint8_t ret[WS_ACCEPT_LEN]);

unsigned ws_upgrade_code(enum ws_upgrade_status status);
const char *ws_upgrade_text(enum ws_upgrade_status status);
