#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "bench/peer_part.h"

/* Key and answer of RFC 6455 section 1.3: every request is the same. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char accept_value[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
static const char server_field[] = "x-pyrycode-server: ";

enum { HEAD_MOST = 8192 /* bytes */, INDEX_LEN = 8 /* digits */ };

void peer_upgrade_ask(struct peer_host *host, struct peer *p)
{
    char buffer[512];
    struct text head = text_over(buffer, sizeof(buffer));

    text_addf(&head,
        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
        "Sec-WebSocket-Version: 13\r\nUser-Agent: load\r\n%s%s-%08x\r\n%s\r\n",
        p->role == PEER_BINARY ? "/v1/server" : "/v1/client", host->name, key,
        server_field, host->id, p->index,
        p->role == PEER_BINARY ? "x-pyrycode-version: 1\r\n"
                               : "x-pyrycode-token: token\r\n");
    if (head.cut) {
        peer_lose(host, p, "the name or the id is too long");
        return;
    }
    peer_send(host, p, span_of(buffer, head.len));
}

static bool holds(struct span in, const char *text)
{
    return memmem(in.ptr, in.len, text, strlen(text)) != NULL;
}

/* Answer a request that came through a proxy. */
static const char *answer(
    struct peer_host *host, struct peer *p, struct span in)
{
    char buffer[256];
    struct text head = text_over(buffer, sizeof(buffer));
    const uint8_t *field =
        memmem(in.ptr, in.len, server_field, sizeof(server_field) - 1);
    uint64_t index = 0;
    size_t at = 0;

    if (field == NULL || !holds(in, key))
        return "a request without the fields of ours";
    at = (size_t)(field - in.ptr) + sizeof(server_field) + strlen(host->id);
    if (at > in.len || in.len - at < INDEX_LEN ||
        !num_parse_hex64(span_of(in.ptr + at, INDEX_LEN), &index) ||
        index > UINT32_MAX)
        return "a request of no pair";
    p->index = (uint32_t)index;
    text_addf(&head,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
        accept_value);
    peer_send(host, p, span_of(buffer, head.len));
    return NULL;
}

static const char *judge(struct span in)
{
    static const char status[] = "HTTP/1.1 101 ";

    if (in.len < sizeof(status) - 1 ||
        memcmp(in.ptr, status, sizeof(status) - 1) != 0)
        return "the upgrade was refused";
    return holds(in, accept_value) ? NULL : "a wrong Sec-WebSocket-Accept";
}

size_t peer_upgrade_read(struct peer_host *host, struct peer *p, struct span in)
{
    static const char end[] = "\r\n\r\n";
    const uint8_t *at = memmem(in.ptr, in.len, end, sizeof(end) - 1);
    const char *fault = NULL;

    if (at == NULL) {
        if (in.len > HEAD_MOST)
            peer_lose(host, p, "a head without an end");
        return 0;
    }
    in.len = (size_t)(at - in.ptr) + sizeof(end) - 1;
    fault = p->entry == PEER_ENTRY_ASKS ? judge(in) : answer(host, p, in);
    if (fault != NULL)
        peer_lose(host, p, fault);
    return in.len;
}
