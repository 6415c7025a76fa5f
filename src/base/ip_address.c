#include "base/ip_address.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum {
    GROUP_COUNT = IP_ADDRESS_LEN / 2,
    V4_LEN = IP_ADDRESS_LEN - IP_ADDRESS_V4_AT,
};

static const uint8_t v4_prefix[IP_ADDRESS_V4_AT] = {[10] = 0xff, [11] = 0xff};

bool ip_address_from_sockaddr(const struct sockaddr *sa, struct ip_address *ret)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof(v4));
        memcpy(ret->bytes, v4_prefix, sizeof(v4_prefix));
        memcpy(ret->bytes + IP_ADDRESS_V4_AT, &v4.sin_addr, V4_LEN);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof(v6));
        memcpy(ret->bytes, &v6.sin6_addr, sizeof(ret->bytes));
        return true;
    }
    return false;
}

/* ---- from text ---- */

/* One number of dotted decimal; it is taken off in. */
static bool take_octet(struct span *in, uint8_t *ret)
{
    unsigned value = 0;
    size_t len = 0;

    while (len < in->len && in->ptr[len] >= '0' && in->ptr[len] <= '9') {
        value = value * 10 + in->ptr[len] - (unsigned)'0';
        len++;
        if (len > 3)
            return false;
    }
    if (len == 0 || value > UINT8_MAX || (len > 1 && in->ptr[0] == '0'))
        return false;
    *ret = (uint8_t)value;
    *in = span_from(*in, len);
    return true;
}

static bool parse_v4(struct span in, uint8_t ret[V4_LEN])
{
    for (size_t i = 0; i < V4_LEN; i++) {
        if (i > 0) {
            if (in.len == 0 || in.ptr[0] != '.')
                return false;
            in = span_from(in, 1);
        }
        if (!take_octet(&in, &ret[i]))
            return false;
    }
    return in.len == 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One group of up to four hexadecimal digits; it is taken off in. */
static bool take_group(struct span *in, uint8_t ret[2])
{
    unsigned value = 0;
    size_t len = 0;

    while (len < in->len && len < 4 && hex_digit(in->ptr[len]) >= 0) {
        value = value << 4 | (unsigned)hex_digit(in->ptr[len]);
        len++;
    }
    if (len == 0)
        return false;
    ret[0] = (uint8_t)(value >> 8);
    ret[1] = (uint8_t)(value & 0xff);
    *in = span_from(*in, len);
    return true;
}

/* An IPv6 address in the making. */
struct v6 {
    uint8_t bytes[IP_ADDRESS_LEN];
    size_t len; /* bytes so far */
    size_t gap; /* where "::" stands, IP_ADDRESS_LEN + 1 for nowhere */
};

static bool is_colon(struct span in, size_t at)
{
    return at < in.len && in.ptr[at] == ':';
}

/* What follows a group: the end, ":" and another group, or "::". */
static bool take_separator(struct span *in, struct v6 *to)
{
    if (in->len == 0)
        return true;
    if (!is_colon(*in, 0) || in->len == 1)
        return false;
    if (!is_colon(*in, 1)) {
        *in = span_from(*in, 1);
        return true;
    }
    if (to->gap <= IP_ADDRESS_LEN)
        return false;
    to->gap = to->len;
    *in = span_from(*in, 2);
    return true;
}

static bool take_groups(struct span in, struct v6 *to)
{
    while (in.len > 0) {
        if (to->len <= IP_ADDRESS_V4_AT &&
            memchr(in.ptr, ':', in.len) == NULL &&
            memchr(in.ptr, '.', in.len) != NULL) {
            if (!parse_v4(in, to->bytes + to->len))
                return false;
            to->len += V4_LEN;
            return true;
        }
        if (to->len == IP_ADDRESS_LEN || !take_group(&in, to->bytes + to->len))
            return false;
        to->len += 2;
        if (!take_separator(&in, to))
            return false;
    }
    return true;
}

static bool parse_v6(struct span in, struct ip_address *ret)
{
    struct v6 v6 = {.gap = IP_ADDRESS_LEN + 1};
    size_t tail = 0;

    if (is_colon(in, 0) && is_colon(in, 1)) {
        v6.gap = 0;
        in = span_from(in, 2);
    }
    if (!take_groups(in, &v6))
        return false;
    if (v6.gap > IP_ADDRESS_LEN) {
        if (v6.len != IP_ADDRESS_LEN)
            return false;
        memcpy(ret->bytes, v6.bytes, sizeof(ret->bytes));
        return true;
    }
    /* "::" stands for one group of zeros at least. */
    if (v6.len == IP_ADDRESS_LEN)
        return false;
    tail = v6.len - v6.gap;
    memset(ret->bytes, 0, sizeof(ret->bytes));
    memcpy(ret->bytes, v6.bytes, v6.gap);
    memcpy(ret->bytes + IP_ADDRESS_LEN - tail, v6.bytes + v6.gap, tail);
    return true;
}

bool ip_address_parse(struct span text, struct ip_address *ret)
{
    uint8_t v4[V4_LEN];

    if (text.len == 0 || text.len >= IP_ADDRESS_TEXT_MAX)
        return false;
    if (memchr(text.ptr, ':', text.len) != NULL)
        return parse_v6(text, ret);
    if (!parse_v4(text, v4))
        return false;
    memcpy(ret->bytes, v4_prefix, sizeof(v4_prefix));
    memcpy(ret->bytes + IP_ADDRESS_V4_AT, v4, sizeof(v4));
    return true;
}

/* ---- as it is ---- */

bool ip_address_is_v4(const struct ip_address *address)
{
    return memcmp(address->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool ip_address_eq(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct ip_address ip_address_key(const struct ip_address *address)
{
    struct ip_address key = *address;

    if (!ip_address_is_v4(address))
        memset(key.bytes + IP_ADDRESS_LEN / 2, 0, IP_ADDRESS_LEN / 2);
    return key;
}

/* ---- to text ---- */

/* The digits of value without leading zeros; returns their number. */
static size_t put_number(char *to, unsigned value, unsigned base)
{
    static const char digits[] = "0123456789abcdef";
    unsigned unit = 1;
    size_t len = 0;

    while (value / unit >= base)
        unit *= base;
    for (; unit > 0; unit /= base)
        to[len++] = digits[value / unit % base];
    return len;
}

static size_t v4_text(const uint8_t v4[V4_LEN], char *ret)
{
    size_t len = 0;

    for (size_t i = 0; i < V4_LEN; i++) {
        if (i > 0)
            ret[len++] = '.';
        len += put_number(ret + len, v4[i], 10);
    }
    return len;
}

static unsigned group(const struct ip_address *address, size_t i)
{
    return (unsigned)address->bytes[2 * i] << 8 | address->bytes[2 * i + 1];
}

/* The first of the longest runs of two zero groups or more; returns its
 * length, 0 if there is none. */
static size_t longest_zeros(const struct ip_address *address, size_t *ret_at)
{
    size_t best = 1;
    size_t run = 0;

    for (size_t i = 0; i < GROUP_COUNT; i++) {
        run = group(address, i) == 0 ? run + 1 : 0;
        if (run > best) {
            best = run;
            *ret_at = i + 1 - run;
        }
    }
    return best == 1 ? 0 : best;
}

static size_t v6_text(const struct ip_address *address, char *ret)
{
    size_t at = 0;
    size_t zeros = longest_zeros(address, &at);
    size_t len = 0;

    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (zeros > 0 && i == at) {
            ret[len++] = ':';
            ret[len++] = ':';
            i += zeros - 1;
            continue;
        }
        if (len > 0 && ret[len - 1] != ':')
            ret[len++] = ':';
        len += put_number(ret + len, group(address, i), 16);
    }
    return len;
}

size_t ip_address_text(
    const struct ip_address *address, char ret[IP_ADDRESS_TEXT_MAX])
{
    size_t len = ip_address_is_v4(address)
                     ? v4_text(address->bytes + IP_ADDRESS_V4_AT, ret)
                     : v6_text(address, ret);

    ret[len] = '\0';
    return len;
}
