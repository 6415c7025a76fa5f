#include "wire/client_hello.h"

enum {
    LIST_HEAD_LEN = 2,
    NAME_HEAD_LEN = 3, /* type and length */
    NAME_HOST = 0,     /* NameType host_name */
    PAIR_LEN = 2,      /* a signature scheme, a cipher suite */
    ECDSA_P256_SHA256 = 0x0403,
};

/* Suites under which an ECDSA certificate on P-256 can be shown, of those that
 * are served: TLS 1.3's, and ECDHE-ECDSA with AEAD. */
static const uint16_t ecdsa_suites[] = {
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9};

static size_t read_u16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* The list that the whole body is; false: it is none. */
static bool take_list(struct span body, struct span *ret)
{
    if (body.len < LIST_HEAD_LEN ||
        read_u16(body.ptr) != body.len - LIST_HEAD_LEN)
        return false;
    *ret = span_from(body, LIST_HEAD_LEN);
    return true;
}

bool client_hello_host_name(struct span body, struct span *ret)
{
    struct span list;
    size_t len = 0;

    if (!take_list(body, &list) || list.len < NAME_HEAD_LEN)
        return false;
    len = read_u16(list.ptr + 1);
    /* Clients send one name, and no other type was ever defined. */
    if (list.ptr[0] != NAME_HOST || len == 0 || len != list.len - NAME_HEAD_LEN)
        return false;
    *ret = span_from(list, NAME_HEAD_LEN);
    return true;
}

bool client_hello_offers(struct span body, const char *protocol)
{
    struct span list;

    if (!take_list(body, &list))
        return false;
    while (list.len > 0) {
        size_t len = list.ptr[0];

        if (len == 0 || len > list.len - 1)
            return false;
        if (span_eq(span_of(list.ptr + 1, len), span_str(protocol)))
            return true;
        list = span_from(list, 1 + len);
    }
    return false;
}

static bool has_scheme(struct span body, size_t scheme)
{
    struct span list;

    if (!take_list(body, &list))
        return false;
    for (; list.len >= PAIR_LEN; list = span_from(list, PAIR_LEN)) {
        if (read_u16(list.ptr) == scheme)
            return true;
    }
    return false;
}

static bool is_ecdsa_suite(size_t suite)
{
    for (size_t i = 0; i < ARRAY_LEN(ecdsa_suites); i++) {
        if (ecdsa_suites[i] == suite)
            return true;
    }
    return false;
}

bool client_hello_takes_ecdsa(
    struct span signature_algorithms, struct span suites)
{
    if (signature_algorithms.len > 0 &&
        !has_scheme(signature_algorithms, ECDSA_P256_SHA256))
        return false;
    for (; suites.len >= PAIR_LEN; suites = span_from(suites, PAIR_LEN)) {
        if (is_ecdsa_suite(read_u16(suites.ptr)))
            return true;
    }
    return false;
}
