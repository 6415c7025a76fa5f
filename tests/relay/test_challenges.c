#include "relay/challenges.h"

#include <stdio.h>

#include "cmocka_all.h"

static struct http_head head;

static unsigned ask(
    const struct challenges *c, const char *request, struct span *ret)
{
    *ret = span_of("", 0);
    assert_int_equal(http_head_parse(span_str(request), 16384, &head), HTTP_OK);
    return challenges_answer(c, "relay.example.com", &head, ret);
}

static void what_is_answered(void **state)
{
    static const struct {
        const char *line;
        const char *host;
        unsigned code;
    } cases[] = {
        {"GET /.well-known/acme-challenge/abc", "relay.example.com", 200},
        {"HEAD /.well-known/acme-challenge/abc", "RELAY.example.com", 200},
        {"POST /.well-known/acme-challenge/abc", "relay.example.com", 404},
        {"GET /.well-known/acme-challenge/abcd", "relay.example.com", 404},
        {"GET /.well-known/acme-challenge/ab", "relay.example.com", 404},
        {"GET /.well-known/acme-challenge/", "relay.example.com", 404},
        {"GET /.well-known/acme-challenge", "relay.example.com", 404},
        {"GET /.well-known/acme-challenge/abc/", "relay.example.com", 404},
        {"GET /.well-known/acme-challenge/../abc", "relay.example.com", 404},
        {"GET /abc", "relay.example.com", 404},
        {"GET /", "other.example.com", 404},
        {"GET /.well-known/acme-challenge/abc", "other.example.com", 403},
        {"GET /.well-known/acme-challenge/abc", "relay.example.com:80", 403},
        {"GET /.well-known/acme-challenge/no", "other.example.com", 403},
    };
    struct challenges c = {.list = {{.token = ""}}};

    (void)state;
    assert_true(challenges_add(&c, "abc", "abc.thumb"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[256];
        struct span body;

        (void)snprintf(request, sizeof(request),
            "%s HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].line, cases[i].host);
        assert_int_equal(ask(&c, request, &body), cases[i].code);
        assert_true(
            span_eq(body, span_str(cases[i].code == 200 ? "abc.thumb" : "")));
    }
}

static void they_come_and_go(void **state)
{
    struct challenges c = {.list = {{.token = ""}}};
    char token[8];

    (void)state;
    for (int i = 0; i < CHALLENGES_MAX; i++) {
        (void)snprintf(token, sizeof(token), "t%d", i);
        assert_true(challenges_add(&c, token, "a"));
    }
    assert_false(challenges_add(&c, "one-more", "a"));
    assert_true(challenges_add(&c, "t1", "b")); /* anew */
    challenges_remove(&c, "nobody");
    assert_false(challenges_add(&c, "one-more", "a"));
    challenges_remove(&c, "t2");
    assert_true(challenges_add(&c, "one-more", "c"));

    struct span body;

    assert_int_equal(ask(&c,
                         "GET /.well-known/acme-challenge/one-more "
                         "HTTP/1.1\r\nHost: relay.example.com\r\n\r\n",
                         &body),
        200);
    assert_true(span_eq(body, span_str("c")));
    assert_int_equal(ask(&c,
                         "GET /.well-known/acme-challenge/t2 "
                         "HTTP/1.1\r\nHost: relay.example.com\r\n\r\n",
                         &body),
        404);
    challenges_clear(&c);
    assert_int_equal(ask(&c,
                         "GET /.well-known/acme-challenge/one-more "
                         "HTTP/1.1\r\nHost: relay.example.com\r\n\r\n",
                         &body),
        404);
}

static void what_is_too_long_is_refused(void **state)
{
    struct challenges c = {.list = {{.token = ""}}};
    char token[CHALLENGE_TOKEN_MAX + 2];
    char authorization[CHALLENGE_AUTHORIZATION_MAX + 2];

    (void)state;
    memset(token, 'x', sizeof(token));
    memset(authorization, 'y', sizeof(authorization));
    token[CHALLENGE_TOKEN_MAX + 1] = '\0';
    authorization[CHALLENGE_AUTHORIZATION_MAX + 1] = '\0';
    assert_false(challenges_add(&c, token, "a"));
    assert_false(challenges_add(&c, "t", authorization));
    assert_false(challenges_add(&c, "", "a"));
    token[CHALLENGE_TOKEN_MAX] = '\0';
    authorization[CHALLENGE_AUTHORIZATION_MAX] = '\0';
    assert_true(challenges_add(&c, token, authorization));
}

RUN_TESTS("challenges", cmocka_unit_test(what_is_answered),
    cmocka_unit_test(they_come_and_go),
    cmocka_unit_test(what_is_too_long_is_refused));
