#include "wire/proxy_header.h"

#include <assert.h>

/* Offsets in the fixed part, and what we accept there. */
enum {
    AT_VERSION = 12,
    AT_FAMILY = 13,
    AT_LENGTH = 14,
    VERSION_2 = 0x2,
    COMMAND_LOCAL = 0x0,
    COMMAND_PROXY = 0x1,
    TCP_OVER_IPV4 = 0x11,
    TCP_OVER_IPV6 = 0x21,
};

static const uint8_t signature[AT_VERSION] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
static const uint8_t version_1[] = {'P', 'R', 'O', 'X', 'Y', ' '};

static const char *const texts[] = {
#define X(name, text) [name] = (text),
    PROXY_STATUS_LIST(X)
#undef X
};

/* Does in start as the bytes do, as far as both go? */
static bool starts_as(struct span in, const uint8_t *bytes, size_t len)
{
    return memcmp(in.ptr, bytes, in.len < len ? in.len : len) == 0;
}

static uint16_t read_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static enum proxy_status judge_version(uint8_t version_and_command)
{
    if (version_and_command >> 4 != VERSION_2)
        return PROXY_BAD_VERSION;
    if ((version_and_command & 0xf) == COMMAND_LOCAL)
        return PROXY_LOCAL;
    return (version_and_command & 0xf) == COMMAND_PROXY ? PROXY_OK
                                                        : PROXY_BAD_COMMAND;
}

/* Bytes of one address, 0 for what is not TCP over IP. */
static size_t address_len(uint8_t family)
{
    if (family == TCP_OVER_IPV4)
        return 4;
    return family == TCP_OVER_IPV6 ? 16 : 0;
}

/* Judge the fixed part as far as it has come. */
static enum proxy_status judge_fixed(struct span in)
{
    enum proxy_status status = PROXY_OK;

    if (in.len == 0)
        return PROXY_MORE;
    if (starts_as(in, version_1, sizeof(version_1)))
        return PROXY_TEXT;
    if (!starts_as(in, signature, sizeof(signature)))
        return PROXY_ABSENT;
    if (in.len > AT_VERSION)
        status = judge_version(in.ptr[AT_VERSION]);
    if (status != PROXY_OK)
        return status;
    if (in.len > AT_FAMILY && address_len(in.ptr[AT_FAMILY]) == 0)
        return PROXY_BAD_FAMILY;
    return in.len < PROXY_FIXED_LEN ? PROXY_MORE : PROXY_OK;
}

static void read_addresses(const uint8_t *at, struct proxy_header *h)
{
    memcpy(h->source.addr, at, h->addr_len);
    memcpy(h->destination.addr, at + h->addr_len, h->addr_len);
    h->source.port = read_u16(at + 2 * h->addr_len);
    h->destination.port = read_u16(at + 2 * h->addr_len + 2);
}

enum proxy_status proxy_header_parse(struct span in, struct proxy_header *ret)
{
    enum proxy_status status = judge_fixed(in);
    struct proxy_header h = {.addr_len = 0};
    size_t body_len = 0;

    if (status != PROXY_OK)
        return status;
    body_len = read_u16(in.ptr + AT_LENGTH);
    h.addr_len = address_len(in.ptr[AT_FAMILY]);
    if (body_len < 2 * h.addr_len + 4)
        return PROXY_SHORT;
    if (body_len > PROXY_BODY_MAX)
        return PROXY_LONG;
    if (in.len - PROXY_FIXED_LEN < body_len)
        return PROXY_MORE;
    h.header_len = PROXY_FIXED_LEN + body_len;
    read_addresses(in.ptr + PROXY_FIXED_LEN, &h);
    *ret = h;
    return PROXY_OK;
}

const char *proxy_header_text(enum proxy_status status)
{
    assert(status < ARRAY_LEN(texts));
    return texts[status];
}
