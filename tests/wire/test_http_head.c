#include "wire/http_head.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

static struct http_head head;

static enum http_status parse(struct span in)
{
    return http_head_parse(in, 1024, &head);
}

static void statuses(void **state)
{
    const struct {
        struct span in;
        enum http_status want;
    } cases[] = {
        {LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK},
        {LIT("GET / HTTP/1.0\r\n\r\n"), HTTP_OK},
        {LIT("GET http://h/p?q HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_OK},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
            HTTP_OK},
        {LIT(""), HTTP_MORE},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\n"), HTTP_MORE},
        {LIT("GET / HTTP/1.1\nHost: a\n\n"), HTTP_BAD_LINE},
        {LIT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("GET /\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("\x16\x03\x01\x02\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), HTTP_BAD_VERSION},
        {LIT("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), HTTP_BAD_VERSION},
        {LIT("GET / HTTP/1.1\r\n\r\n"), HTTP_NO_HOST},
        {LIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), HTTP_OK},
        {LIT("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), HTTP_OK},
        {LIT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HTTP_BAD_HOST},
        {LIT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), HTTP_BAD_HOST},
        {LIT("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), HTTP_BAD_HOST},
        {LIT("GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n"), HTTP_BAD_HOST},
        {LIT("GET / HTTP/1.0\r\nHost: \"a\r\n\r\n"), HTTP_BAD_HOST},
        {LIT("GET http:///p HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("GET http:// HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("GET https://?q HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_BAD_LINE},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), HTTP_DUPLICATE},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nX-Pyrycode-Token: "
             "1\r\nx-pyrycode-token: 2\r\n\r\n"),
            HTTP_DUPLICATE},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n"), HTTP_FOLDED},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n"), HTTP_BAD_FIELD},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"), HTTP_BAD_FIELD},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n"), HTTP_BAD_FIELD},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n"), HTTP_BAD_FIELD},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"),
            HTTP_BODY},
        {LIT("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HTTP_BODY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum http_status got = parse(cases[i].in);

        if (got != cases[i].want)
            fail_msg("case %zu: %s", i, http_status_text(got));
    }
}

static void fields(void **state)
{
    (void)state;
    assert_int_equal(
        parse(LIT(
            "GET /v1/server?x=1 HTTP/1.1\r\nhost:a\r\nX-A:  b c "
            "\t\r\nEmpty:\r\n"
            "Connection: keep-alive\r\nConnection: , Upgrade ,x\r\n\r\nrest")),
        HTTP_OK);
    assert_span(head.method, LIT("GET"));
    assert_span(head.path, LIT("/v1/server"));
    assert_int_equal(head.minor, 1);
    assert_span(http_head_get(&head, "x-a"), LIT("b c"));
    assert_int_equal(http_head_get(&head, "Empty").len, 0);
    assert_int_equal(http_head_get(&head, "Absent").len, 0);
    assert_true(http_head_lists(&head, "Connection", "upgrade"));
    assert_false(http_head_lists(&head, "Connection", "grade"));
    assert_int_equal(head.field_count, 5);
}

/* Every prefix of a good head is incomplete, none is wrong. */
static void any_cut(void **state)
{
    static const char text[] =
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Pyrycode-Server: b\r\n\r\n";

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        if (parse(span_of(text, len)) != HTTP_MORE)
            fail_msg("prefix of %zu bytes", len);
    assert_int_equal(parse(span_of(text, sizeof(text) - 1)), HTTP_OK);
    assert_int_equal(head.head_len, sizeof(text) - 1);
}

static void limits(void **state)
{
    static char text[4096];
    size_t len = 0;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    assert_int_equal(
        http_head_parse(span_of(text, 1025), 1024, &head), HTTP_TOO_LARGE);
    assert_int_equal(
        http_head_parse(span_of(text, 1024), 1024, &head), HTTP_MORE);
    len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < HTTP_FIELDS_MAX; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "A%d: b\r\n", i);
    memcpy(text + len, "\r\n", 2);
    assert_int_equal(
        http_head_parse(span_of(text, len + 2), 4096, &head), HTTP_OK);
    memcpy(text + len, "B: c\r\n\r\n", 8);
    assert_int_equal(
        http_head_parse(span_of(text, len + 8), 4096, &head), HTTP_TOO_MANY);
}

RUN_TESTS("http_head", cmocka_unit_test(statuses), cmocka_unit_test(fields),
    cmocka_unit_test(any_cut), cmocka_unit_test(limits));
