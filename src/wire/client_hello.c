#include "wire/client_hello.h"

enum {
    LIST_HEAD_LEN = 2,
    NAME_HEAD_LEN = 3, /* type and length */
    NAME_HOST = 0,     /* NameType host_name */
};

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
