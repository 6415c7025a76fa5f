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

#define NONE            TEXT("")
#define SCHEMES_BOTH    TEXT("\x00\x04\x08\x04\x04\x03")
#define SCHEMES_RSA     TEXT("\x00\x04\x08\x04\x04\x01")
#define SUITES_13       TEXT("\x13\x01")
#define SUITES_RSA      TEXT("\xc0\x2f\xc0\x30\xcc\xa8\x00\xff")
#define SUITES_RSA_LAST TEXT("\xc0\x2f\xcc\xa9")

static void who_takes_ecdsa(void **state)
{
    static const struct {
        const char *schemes;
        size_t schemes_len;
        const char *suites;
        size_t suites_len;
        bool takes;
    } cases[] = {
        {SCHEMES_BOTH, SUITES_13, true}, {SCHEMES_BOTH, SUITES_RSA_LAST, true},
        {SCHEMES_BOTH, SUITES_RSA, false}, {SCHEMES_RSA, SUITES_13, false},
        {SCHEMES_RSA, SUITES_RSA_LAST, false},
        {NONE, SUITES_RSA_LAST, true}, /* TLS 1.2 without the extension */
        {NONE, SUITES_RSA, false}, {SCHEMES_BOTH, NONE, false},
        {NONE, NONE, false},
        {TEXT("\x00"), SUITES_13, false},                 /* half a length */
        {TEXT("\x00\x02\x04"), SUITES_13, false},         /* cut */
        {TEXT("\x00\x03\x08\x04\x04"), SUITES_13, false}, /* half a scheme */
        {TEXT("\x00\x00"), SUITES_13, false},
        {SCHEMES_BOTH, TEXT("\xc0"), false},         /* half a suite */
        {SCHEMES_BOTH, TEXT("\xc0\x2f\x13"), false}, /* likewise */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct body schemes = body_of(cases[i].schemes, cases[i].schemes_len);
        struct body suites = body_of(cases[i].suites, cases[i].suites_len);

        assert_int_equal(client_hello_takes_ecdsa(schemes.span, suites.span),
            cases[i].takes);
        free(schemes.bytes);
        free(suites.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_name_is_found),
        cmocka_unit_test(a_malformed_name_is_none),
        cmocka_unit_test(protocols_are_found),
        cmocka_unit_test(who_takes_ecdsa),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
