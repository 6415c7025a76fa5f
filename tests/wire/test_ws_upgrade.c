#include "wire/ws_upgrade.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

static const char good[] =
    "GET /v1/server HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* The good head with one text in place of another. */
static enum ws_upgrade_status check(const char *old, const char *new)
{
    static struct http_head head;
    static char text[512];
    const char *at = strstr(good, old);

    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, new,
        at + strlen(old));
    assert_int_equal(http_head_parse(span_str(text), 1024, &head), HTTP_OK);
    return ws_upgrade_check(&head);
}

static void conditions(void **state)
{
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

    (void)state;
    assert_int_equal(check("GET", "GET"), WS_UPGRADE_OK);
    assert_int_equal(
        check("Upgrade: websocket", "upgrade: WebSocket"), WS_UPGRADE_OK);
    assert_int_equal(check("GET", "POST"), WS_UPGRADE_METHOD);
    assert_int_equal(check("HTTP/1.1", "HTTP/1.0"), WS_UPGRADE_NONE);
    assert_int_equal(
        check("Connection: Upgrade", "Connection: close"), WS_UPGRADE_NONE);
    assert_int_equal(check("websocket", "h2c"), WS_UPGRADE_NONE);
    assert_int_equal(check("13", "8"), WS_UPGRADE_VERSION);
    assert_int_equal(
        check("Sec-WebSocket-Version", "X-Version"), WS_UPGRADE_VERSION);
    assert_int_equal(check("Sec-WebSocket-Key", "X-Key"), WS_UPGRADE_KEY);
    assert_int_equal(check(key, "dGhlIHNhbXBsZSBub25jZQ="), WS_UPGRADE_KEY);
    assert_int_equal(check(key, "dGhlIHNhbXBsZSBub25jZR=="), WS_UPGRADE_KEY);
    assert_int_equal(check(key, "dGhlIHNhbXBsZSBub25j!Q=="), WS_UPGRADE_KEY);
    assert_int_equal(
        check(key, "dGhlIHNhbXBsZSBub25jZQ==AAAA"), WS_UPGRADE_KEY);
}

/* The example of RFC 6455 section 1.3. */
static void accept_value(void **state)
{
    struct http_head head;
    uint8_t challenge[WS_CHALLENGE_LEN];
    uint8_t digest[WS_DIGEST_LEN];
    uint8_t accept[WS_ACCEPT_LEN];

    (void)state;
    assert_int_equal(http_head_parse(span_str(good), 1024, &head), HTTP_OK);
    ws_upgrade_challenge(&head, challenge);
    (void)SHA1(challenge, sizeof(challenge), digest);
    ws_upgrade_accept(digest, accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_LEN);
}

RUN_TESTS(
    "ws_upgrade", cmocka_unit_test(conditions), cmocka_unit_test(accept_value));
