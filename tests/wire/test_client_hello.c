#include "wire/client_hello.h"

#include <stdlib.h>

#include "cmocka_all.h"

/* A body in a heap block of its own size. */
struct body {
    uint8_t *bytes;
    struct span span;
};

static struct body body_of(const char *bytes, size_t len)
{
    struct body b = {.bytes = malloc(len == 0 ? 1 : len)};

    assert_non_null(b.bytes);
    if (len > 0)
        memcpy(b.bytes, bytes, len);
    b.span = span_of(b.bytes, len);
    return b;
}

#define TEXT(literal) (literal), sizeof(literal) - 1

static void a_host_name_is_found(void **state)
{
    struct body b = body_of(TEXT("\x00\x14\x00\x00\x11relay.example.com"));
    struct span name;

    (void)state;
    assert_true(client_hello_host_name(b.span, &name));
    assert_true(span_eq(name, span_str("relay.example.com")));
    free(b.bytes);
}

static void a_malformed_name_is_none(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {TEXT("")},                     /* absent */
        {TEXT("\x00")},                 /* half a length */
        {TEXT("\x00\x00")},             /* no name */
        {TEXT("\x00\x01\x00")},         /* half an entry */
        {TEXT("\x00\x03\x00\x00\x00")}, /* an empty name */
        {TEXT("\x00\x05\x00\x00\x03"    /* longer than the list */
              "ab")},                   /**/
        {TEXT("\x00\x06\x00\x00\x02"    /* something behind it */
              "abc")},                  /**/
        {TEXT("\x00\x05\x01\x00\x02"    /* another type */
              "ab")},                   /**/
        {TEXT("\x00\x04\x00\x00\x02"    /* the list is cut */
              "ab")},                   /**/
        {TEXT("\x00\x0a\x00\x00\x02"    /* two names */
              "ab\x00\x00\x02"          /**/
              "cd")},                   /**/
        {TEXT("\xff\xff\x00\xff\xff")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct body b = body_of(cases[i].bytes, cases[i].len);
        struct span name;

        assert_false(client_hello_host_name(b.span, &name));
        free(b.bytes);
    }
}

static void protocols_are_found(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool offers;
    } cases[] = {
        {TEXT("\x00\x0b\x0a"
              "acme-tls/1"),
            true},
        {TEXT("\x00\x0e\x02h2\x0a"
              "acme-tls/1"),
            true},
        {TEXT("\x00\x0c\x02h2\x08http/1.1"), false},
        {TEXT("\x00\x0c\x0b"
              "acme-tls/12"),
            false},
        {TEXT(""), false}, {TEXT("\x00\x00"), false},
        {TEXT("\x00\x0a\x0a"
              "acme-tls/"),
            false}, /* cut */
        {TEXT("\x00\x0c\x00\x0a"
              "acme-tls/1"),
            false}, /* an empty one before it */
        {TEXT("\x00\x0c\x0a"
              "acme-tls/1"),
            false}, /* the list is cut */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct body b = body_of(cases[i].bytes, cases[i].len);

        assert_int_equal(
            client_hello_offers(b.span, "acme-tls/1"), cases[i].offers);
        free(b.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_name_is_found),
        cmocka_unit_test(a_malformed_name_is_none),
        cmocka_unit_test(protocols_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
