/* The documents of a CA, and the times in them. */
#include "acme/document.h"

#include <stdlib.h>
#include <string.h>

#include "acme/timestamp.h"
#include "cmocka_all.h"

static void timestamps(void **state)
{
    const struct {
        struct span in;
        int64_t want; /* -1: refused */
    } cases[] = {
        {LIT("1970-01-01T00:00:00Z"), 0},
        {LIT("2025-01-02T04:00:00Z"), 1735790400},
        {LIT("2025-01-02t04:00:00.123456z"), 1735790400},
        {LIT("2025-01-02T05:00:00+01:00"), 1735790400},
        {LIT("2025-01-01T23:30:00-04:30"), 1735790400},
        {LIT("2024-02-29T00:00:00Z"), 1709164800},
        {LIT("2025-02-29T00:00:00Z"), -1},
        {LIT("2025-04-31T00:00:00Z"), -1},
        {LIT("2025-00-01T00:00:00Z"), -1},
        {LIT("2025-13-01T00:00:00Z"), -1},
        {LIT("2025-01-00T00:00:00Z"), -1},
        {LIT("2025-01-02T24:00:00Z"), -1},
        {LIT("2025-01-02T04:60:00Z"), -1},
        {LIT("2025-01-02T04:00:61Z"), -1},
        {LIT("2025-01-02T04:00:00"), -1},
        {LIT("2025-01-02T04:00:00."), -1},
        {LIT("2025-01-02T04:00:00.Z"), -1},
        {LIT("2025-01-02T04:00:00ZZ"), -1},
        {LIT("2025-01-02T04:00:00+0100"), -1},
        {LIT("2025-01-02T04:00:00*01:00"), -1},
        {LIT("2025-01-02 04:00:00Z"), -1},
        {LIT("2025/01/02T04:00:00Z"), -1},
        {LIT("+025-01-02T04:00:00Z"), -1},
        {LIT("2025-01-02T04:00"), -1},
        {LIT(""), -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t got = -1;
        bool is_good = timestamp_parse(cases[i].in, &got);

        if (is_good != (cases[i].want >= 0) || got != cases[i].want)
            fail_msg("case %zu: %lld", i, (long long)got);
    }
}

static void urls(void **state)
{
    static char long_url[ACME_URL_MAX + 1];
    const struct {
        const char *text;
        bool want;
    } cases[] = {
        {"https://a", true},
        {"https://127.0.0.1:14000/dir?x=1", true},
        {"https://[::1]/", true},
        {"https://", false},
        {"http://a/", false},
        {"HTTPS://a/", false},
        {"file:///etc/passwd", false},
        {"https://user:secret@a/", false},
        {"https://a/\"", false},
        {"https://a/\\", false},
        {"https://a/ b", false},
        {"https://a/\n", false},
        {"https://\xc3\xa9/", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(document_is_url(cases[i].text), cases[i].want);
    memset(long_url, 'a', ACME_URL_MAX);
    memcpy(long_url, "https://", 8);
    assert_false(document_is_url(long_url));
    long_url[ACME_URL_MAX - 1] = '\0';
    assert_true(document_is_url(long_url));
}

#define DIRECTORY                                                              \
    "\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\","             \
    "\"newOrder\":\"https://a/o\""

static void directories(void **state)
{
    struct acme_directory *d = malloc(sizeof(*d));
    const struct span bad[] = {
        LIT(""),
        LIT("[]"),
        LIT("null"),
        LIT("<html>"),
        LIT("{}"),
        LIT("{" DIRECTORY),
        LIT("{" DIRECTORY "} x"),
        LIT("{" DIRECTORY ",\"newOrder\":\"https://b/o\"}"),
        LIT("{" DIRECTORY ",\"renewalInfo\":\"http://a/r\"}"),
        LIT("{\"newNonce\":1,\"newAccount\":\"https://a/a\","
            "\"newOrder\":\"https://a/o\"}"),
        LIT("{\"newNonce\":\"https://a/n\\u0000\",\"newAccount\":"
            "\"https://a/a\",\"newOrder\":\"https://a/o\"}"),
        LIT("{\"newNonce\":\"https://a/\xff\",\"newAccount\":"
            "\"https://a/a\",\"newOrder\":\"https://a/o\"}"),
    };

    (void)state;
    assert_non_null(d);
    assert_true(document_directory(
        LIT("{" DIRECTORY ",\"renewalInfo\":\"https://a/r\",\"meta\":{}}"), d));
    assert_string_equal(d->new_nonce.text, "https://a/n");
    assert_string_equal(d->new_order.text, "https://a/o");
    assert_string_equal(d->renewal_info.text, "https://a/r");
    assert_true(document_directory(LIT("{" DIRECTORY "}"), d));
    assert_string_equal(d->renewal_info.text, "");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (document_directory(bad[i], d))
            fail_msg("case %zu", i);
    }
    free(d);
}

static void orders(void **state)
{
    struct acme_order *o = malloc(sizeof(*o));
    const struct span bad[] = {
        LIT("{\"status\":\"ready\",\"finalize\":\"https://a/f\"}"),
        LIT("{\"status\":\"ready\",\"authorizations\":[],"
            "\"finalize\":\"https://a/f\"}"),
        LIT("{\"status\":\"ready\",\"authorizations\":[7],"
            "\"finalize\":\"https://a/f\"}"),
        LIT("{\"status\":\"ready\",\"authorizations\":[\"http://a/1\"],"
            "\"finalize\":\"https://a/f\"}"),
        LIT("{\"status\":\"ready\",\"authorizations\":[\"https://a/1\"]}"),
        LIT("{\"authorizations\":[\"https://a/1\",\"https://a/1\","
            "\"https://a/1\",\"https://a/1\",\"https://a/1\"],"
            "\"finalize\":\"https://a/f\"}"),
    };

    (void)state;
    assert_non_null(o);
    assert_true(document_order(
        LIT("{\"status\":\"valid\",\"authorizations\":[\"https://a/1\"],"
            "\"finalize\":\"https://a/f\",\"certificate\":\"https://a/c\","
            "\"error\":{\"type\":\"urn:ietf:params:acme:error:caa\","
            "\"detail\":\"no\",\"subproblems\":[{\"detail\":\"one\"},7]}}"),
        o));
    assert_int_equal(o->status, ACME_VALID);
    assert_int_equal(o->authz_count, 1);
    assert_string_equal(o->certificate.text, "https://a/c");
    assert_string_equal(o->problem.type, "caa");
    assert_string_equal(o->problem.text, "no; one; ");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (document_order(bad[i], o))
            fail_msg("case %zu", i);
    }
    free(o);
}

#define CHALLENGE(type, token)                                                 \
    "{\"type\":\"" type "\",\"url\":\"https://a/c\",\"token\":\"" token "\"}"
#define AUTHZ(challenges)                                                      \
    "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\","                \
    "\"value\":\"a.b\"},\"challenges\":[" challenges "]}"

static void authorizations(void **state)
{
    struct acme_authz *a = malloc(sizeof(*a));
    const struct span bad[] = {
        LIT("{}"),
        LIT("{\"identifier\":{\"value\":\"\"}}"),
        LIT("{\"identifier\":\"a.b\"}"),
        LIT(AUTHZ(CHALLENGE("http-01", ""))),
        LIT(AUTHZ(CHALLENGE("http-01", "../x"))),
        LIT(AUTHZ(CHALLENGE("http-01", "a b"))),
        LIT(AUTHZ("{\"type\":\"tls-alpn-01\",\"token\":\"a\"}")),
    };

    (void)state;
    assert_non_null(a);
    assert_true(
        document_authz(LIT(AUTHZ("7," CHALLENGE("dns-01", "../") "," CHALLENGE(
                           "tls-alpn-01", "t_-1"))),
            a));
    assert_int_equal(a->status, ACME_PENDING);
    assert_string_equal(a->domain, "a.b");
    assert_string_equal(a->tls.token, "t_-1");
    assert_string_equal(a->http.url.text, "");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (document_authz(bad[i], a))
            fail_msg("case %zu", i);
    }
    free(a);
}

/* The CA's words are bounded, whole characters, and nothing else of it. */
static void problems(void **state)
{
    static const char start[] = "{\"type\":\"x\",\"detail\":\"";
    static char text[4096];
    struct acme_problem p;
    size_t len = 0;

    (void)state;
    assert_true(document_problem(
        LIT("{\"type\":\"urn:ietf:params:acme:error:badNonce\"}"), &p));
    assert_string_equal(p.type, "badNonce");
    assert_string_equal(p.text, "");
    assert_true(document_problem(
        LIT("{\"type\":\"about:blank\",\"detail\":\"a\\nb\"}"), &p));
    assert_string_equal(p.type, "");
    assert_string_equal(p.text, "a\nb");
    assert_false(document_problem(LIT("<html>"), &p));
    assert_string_equal(p.text, "");
    len = sizeof(start) - 1;
    memcpy(text, start, len);
    for (int i = 0; i < 600; i++, len += 3)
        memcpy(text + len, "\xe2\x82\xac", 3);
    memcpy(text + len, "\"}", 2);
    assert_true(document_problem(span_of(text, len + 2), &p));
    assert_int_equal(strlen(p.text), AGENT_TEXT_MAX / 3 * 3);
}

static void windows(void **state)
{
    struct acme_window w;

    (void)state;
    assert_true(document_window(
        LIT("{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\","
            "\"end\":\"2025-01-03T04:00:00Z\"},"
            "\"explanationURL\":\"https://a/why\"}"),
        &w));
    assert_true(w.start_s == 1735790400 && w.end_s == w.start_s + 86400);
    assert_string_equal(w.why, "https://a/why");
    assert_false(document_window(
        LIT("{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\","
            "\"end\":\"2025-01-02T04:00:00Z\"}}"),
        &w));
    assert_false(document_window(LIT("{\"suggestedWindow\":[]}"), &w));
    assert_false(document_window(LIT("{}"), &w));
}

/* Nesting is bounded by the JSON library, not by the stack. */
static void deep(void **state)
{
    static char text[200000];
    struct acme_problem p;

    (void)state;
    memset(text, '[', sizeof(text));
    memcpy(text, "{\"a\":", 5);
    assert_false(document_problem(span_of(text, sizeof(text)), &p));
}

RUN_TESTS("document", cmocka_unit_test(timestamps), cmocka_unit_test(urls),
    cmocka_unit_test(directories), cmocka_unit_test(orders),
    cmocka_unit_test(authorizations), cmocka_unit_test(problems),
    cmocka_unit_test(windows), cmocka_unit_test(deep));
