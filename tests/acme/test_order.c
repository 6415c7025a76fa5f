/* The order's states against a CA of canned answers. */
#include "acme/order.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmocka_all.h"
#include "made.h"

#define PROBLEM(type, detail)                                                  \
    "{\"type\":\"urn:ietf:params:acme:error:" type "\",\"detail\":\"" detail   \
    "\"}"
#define ORDER(status, more)                                                    \
    "{\"status\":\"" status "\",\"authorizations\":[\"https://ca/authz\"],"    \
    "\"finalize\":\"https://ca/finalize\"" more "}"
#define AUTHZ(status, domain, type)                                            \
    "{\"status\":\"" status "\",\"identifier\":{\"value\":\"" domain "\"},"    \
    "\"challenges\":[{\"type\":\"" type "\",\"url\":\"https://ca/challenge\"," \
    "\"token\":\"token-1\"}]}"
#define DIRECTORY                                                              \
    "{\"newNonce\":\"https://ca/nonce\",\"newAccount\":\"https://ca/account\"" \
    ",\"newOrder\":\"https://ca/order\",\"renewalInfo\":\"https://ca/ari\"}"

struct answer {
    const char *url; /* the request that it answers */
    const char *body;
    long status; /* 0: 200 */
    const char *location;
    int64_t retry_after_s;
    bool no_nonce;
};

enum {
    AT_DIRECTORY,
    AT_NONCE,
    AT_ACCOUNT,
    AT_ORDER,
    AT_AUTHZ,
    AT_CHALLENGE,
    AT_VALIDATE,
    AT_POLL,
    AT_FINALIZE,
    AT_POLL_AGAIN,
    AT_CERTIFICATE,
    ANSWERS
};
static const struct answer usual[ANSWERS] = {
    [AT_DIRECTORY] = {.url = "https://ca/dir",
        .body = DIRECTORY,
        .no_nonce = true},
    [AT_NONCE] = {.url = "https://ca/nonce", .body = ""},
    [AT_ACCOUNT] = {.url = "https://ca/account",
        .body = "{}",
        .status = 201,
        .location = "https://ca/acct/1"},
    [AT_ORDER] = {.url = "https://ca/order",
        .body = ORDER("pending", ""),
        .status = 201,
        .location = "https://ca/order/1"},
    [AT_AUTHZ] = {.url = "https://ca/authz",
        .body = AUTHZ("pending", "a.example", "http-01")},
    [AT_CHALLENGE] = {.url = "https://ca/challenge", .body = "{}"},
    [AT_VALIDATE] = {.url = "https://ca/authz",
        .body = AUTHZ("valid", "a.example", "http-01")},
    [AT_POLL] = {.url = "https://ca/order/1", .body = ORDER("ready", "")},
    [AT_FINALIZE] = {.url = "https://ca/finalize",
        .body = ORDER("processing", "")},
    [AT_POLL_AGAIN] = {.url = "https://ca/order/1",
        .body = ORDER("valid", ",\"certificate\":\"https://ca/c\"")},
    [AT_CERTIFICATE] = {.url = "https://ca/c", .body = "CHAIN"},
};

static EVP_PKEY *account;
static struct order_config config;
static struct order *o;
static uint64_t now_ms;
static unsigned presented;
static char last_body[8192];

static int set_up(void **state)
{
    (void)state;
    account = pem_new_key();
    config = (struct order_config){.directory_url = "https://ca/dir",
        .domain = "a.example",
        .proof = ORDER_HTTP_01,
        .account = account};
    now_ms = 5000;
    presented = 0;
    o = order_new(&config, now_ms);
    return account == NULL || o == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    order_free(o);
    EVP_PKEY_free(account);
    return 0;
}

static void give(const struct answer *a)
{
    static struct acme_response response;
    const struct acme_request *request = order_request(o);
    struct text t = text_over(last_body, sizeof(last_body));

    assert_string_equal(request->url, a->url);
    text_add(&t, request->body);
    response =
        (struct acme_response){.status = a->status == 0 ? 200 : a->status,
            .body = span_str(a->body),
            .retry_after_s = a->retry_after_s == 0 ? -1 : a->retry_after_s};
    if (!a->no_nonce)
        memcpy(response.nonce, "nonce", 6);
    if (a->location != NULL)
        memcpy(response.location.text, a->location, strlen(a->location) + 1);
    order_answer(o, &response, now_ms);
}

/* Step past waiting and presenting, up to a request or the end. */
static enum order_want next(void)
{
    for (;;) {
        enum order_want want = order_step(o, now_ms);

        if (want == ORDER_WANTS_WAIT) {
            assert_true(order_wait_until_ms(o) > now_ms);
            now_ms = order_wait_until_ms(o);
        } else if (want == ORDER_WANTS_PRESENT) {
            assert_string_equal(order_challenge(o).token, "token-1");
            assert_int_equal(
                strlen(order_challenge(o).key_auth), strlen("token-1.") + 43);
            presented++;
            order_presented(o);
        } else {
            return want;
        }
    }
}

/* Answer as usual from one place to another, the last not included. */
static void play(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        assert_int_equal(next(), ORDER_WANTS_REQUEST);
        give(&usual[i]);
    }
}

static void play_one(const struct answer *a)
{
    assert_int_equal(next(), ORDER_WANTS_REQUEST);
    give(a);
}

static void assert_failed(enum agent_failure kind, const char *words)
{
    assert_int_equal(next(), ORDER_HAS_FAILED);
    if (order_failure(o)->kind != kind ||
        strstr(order_failure(o)->text, words) == NULL)
        fail_msg("%s: %s, not %s", agent_failure_name(order_failure(o)->kind),
            order_failure(o)->text, words);
}

static void whole(void **state)
{
    (void)state;
    play(0, ANSWERS);
    assert_int_equal(next(), ORDER_IS_DONE);
    assert_int_equal(presented, 1);

    struct pem pem = order_certificate(o);

    assert_non_null(strstr(pem.text, "-----BEGIN EC PRIVATE KEY-----"));
    assert_string_equal(pem.text + pem.len - 5, "CHAIN");
    pem_done(&pem);
}

/* An order that is ready at once, and one whose authorization is valid. */
static void short_ways(void **state)
{
    struct answer ready = usual[AT_ORDER];

    (void)state;
    ready.body = ORDER("ready", "");
    play(AT_DIRECTORY, AT_ORDER);
    play_one(&ready);
    play(AT_POLL, ANSWERS);
    assert_int_equal(next(), ORDER_IS_DONE);
    assert_int_equal(presented, 0);
    order_free(o);
    o = order_new(&config, now_ms);
    play(AT_DIRECTORY, AT_AUTHZ);
    play_one(&usual[AT_VALIDATE]);
    play(AT_POLL, ANSWERS);
    assert_int_equal(next(), ORDER_IS_DONE);
    assert_int_equal(presented, 0);
}

/* Each answer that is no answer, at each place where it can come. */
static void nonsense(void **state)
{
    static const struct {
        size_t at;
        struct answer a;
        enum agent_failure kind;
        const char *words;
    } cases[] = {
        {AT_DIRECTORY, {.body = "<html>"}, AGENT_PROTOCOL, "directory"},
        {AT_DIRECTORY, {.body = "", .status = 301, .location = "https://x/"},
            AGENT_PROTOCOL, "redirect"},
        {AT_DIRECTORY, {.body = "", .status = 404}, AGENT_PROTOCOL, "404"},
        {AT_DIRECTORY, {.body = "oops", .status = 500}, AGENT_REFUSED, "500"},
        {AT_DIRECTORY, {.body = "", .status = 101}, AGENT_PROTOCOL, "below"},
        {AT_NONCE, {.body = "", .no_nonce = true}, AGENT_PROTOCOL, "Nonce"},
        {AT_ACCOUNT, {.body = "{}", .status = 201}, AGENT_PROTOCOL,
            "account URL"},
        {AT_ACCOUNT,
            {.body = PROBLEM("unauthorized", "deactivated"), .status = 403},
            AGENT_REFUSED, "status 403 unauthorized: deactivated"},
        {AT_ORDER, {.body = ORDER("pending", "")}, AGENT_PROTOCOL,
            "not an order"},
        {AT_ORDER, {.body = "[]", .location = "https://ca/order/1"},
            AGENT_PROTOCOL, "not an order"},
        {AT_ORDER,
            {.body = ORDER("invalid", ",\"error\":" PROBLEM("caa", "CAA no")),
                .location = "https://ca/order/1"},
            AGENT_REFUSED, "CAA no"},
        {AT_AUTHZ, {.body = "{}"}, AGENT_PROTOCOL, "not an authorization"},
        {AT_AUTHZ, {.body = AUTHZ("pending", "b.example", "http-01")},
            AGENT_PROTOCOL, "another domain"},
        {AT_AUTHZ, {.body = AUTHZ("pending", "a.example", "tls-alpn-01")},
            AGENT_CHALLENGE, "does not offer"},
        {AT_AUTHZ, {.body = AUTHZ("deactivated", "a.example", "http-01")},
            AGENT_CHALLENGE, "not valid"},
        {AT_CHALLENGE, {.body = "", .status = 400}, AGENT_PROTOCOL, "400"},
        {AT_VALIDATE, {.body = "null"}, AGENT_PROTOCOL, "authorization"},
        {AT_VALIDATE, {.body = AUTHZ("expired", "a.example", "http-01")},
            AGENT_CHALLENGE, "not valid"},
        {AT_VALIDATE,
            {.body = "{\"status\":\"invalid\",\"identifier\":{\"value\":"
                     "\"a.example\"},\"challenges\":[{\"type\":\"dns-01\","
                     "\"error\":" PROBLEM("dns", "no \\u001b[31m such") "}]}"},
            AGENT_CHALLENGE, "no \x1b[31m such"},
        {AT_POLL, {.body = ORDER("valid", "")}, AGENT_PROTOCOL,
            "without our certificate"},
        {AT_POLL, {.body = "{}"}, AGENT_PROTOCOL, "not an order"},
        {AT_FINALIZE, {.body = PROBLEM("badCSR", "weak"), .status = 400},
            AGENT_REFUSED, "badCSR: weak"},
        {AT_POLL_AGAIN, {.body = ORDER("valid", "")}, AGENT_PROTOCOL,
            "without our certificate"},
        {AT_POLL_AGAIN, {.body = ORDER("revoked", "")}, AGENT_REFUSED,
            "invalid"},
        {AT_CERTIFICATE, {.body = ""}, AGENT_PROTOCOL, "empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a = cases[i].a;

        a.url = usual[cases[i].at].url;
        order_free(o);
        o = order_new(&config, now_ms);
        play(0, cases[i].at);
        play_one(&a);
        assert_failed(cases[i].kind, cases[i].words);
    }
}

static void rate_limited(void **state)
{
    static const struct answer limits[] = {
        {.url = "https://ca/order",
            .body = PROBLEM("rateLimited", "too many"),
            .status = 429,
            .retry_after_s = 7200},
        {.url = "https://ca/order",
            .body = "<html>",
            .status = 429,
            .retry_after_s = 60},
        {.url = "https://ca/order",
            .body = PROBLEM("rateLimited", "x"),
            .status = 403},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        order_free(o);
        o = order_new(&config, now_ms);
        play(0, AT_ORDER);
        play_one(&limits[i]);
        assert_failed(AGENT_RATE_LIMITED, "new-order");
        assert_int_equal(
            order_failure(o)->retry_after_s, limits[i].retry_after_s);
    }
}

/* A rejected nonce is replaced by the one that came with the rejection. */
static void bad_nonces(void **state)
{
    static const struct answer rejected = {.url = "https://ca/account",
        .body = PROBLEM("badNonce", "again"),
        .status = 400};

    (void)state;
    play(0, AT_ACCOUNT);
    for (int i = 0; i < ORDER_NONCES_MAX; i++)
        play_one(&rejected);
    play(AT_ACCOUNT, ANSWERS);
    assert_int_equal(next(), ORDER_IS_DONE);
    order_free(o);
    o = order_new(&config, now_ms);
    play(0, AT_ACCOUNT);
    for (int i = 0; i <= ORDER_NONCES_MAX; i++)
        play_one(&rejected);
    assert_failed(AGENT_REFUSED, "badNonce");
}

/* An answer without a nonce: one is fetched before the next question. */
static void no_nonce(void **state)
{
    struct answer a = usual[AT_ACCOUNT];
    struct answer none = usual[AT_NONCE];

    (void)state;
    a.no_nonce = true;
    none.no_nonce = true;
    play(0, AT_ACCOUNT);
    play_one(&a);
    play_one(&usual[AT_NONCE]);
    play(AT_ORDER, ANSWERS);
    assert_int_equal(next(), ORDER_IS_DONE);
    order_free(o);
    o = order_new(&config, now_ms);
    play(0, AT_ACCOUNT);
    play_one(&a);
    play_one(&none);
    assert_failed(AGENT_PROTOCOL, "Replay-Nonce");
}

/* Polls wait as the CA wishes, within bounds, and come to an end. */
static void polling(void **state)
{
    static const struct {
        int64_t wish_s;
        uint64_t want_ms;
    } waits[] = {{0, 1000}, {0, 2000}, {0, 4000}, {0, 8000}, {0, 10000},
        {0, 10000}, {5, 5000}, {86400, ORDER_POLL_WISH_MS}};
    struct answer pending = usual[AT_AUTHZ];

    (void)state;
    play(0, AT_VALIDATE);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        pending.retry_after_s = waits[i].wish_s;
        play_one(&pending);
        assert_int_equal(order_step(o, now_ms), ORDER_WANTS_WAIT);
        assert_int_equal(order_wait_until_ms(o), now_ms + waits[i].want_ms);
    }
    for (int i = 0; next() == ORDER_WANTS_REQUEST; i++) {
        assert_true(i < ORDER_REQUESTS_MAX);
        give(&pending);
    }
    assert_failed(AGENT_PROTOCOL, "did not come to an end");
    assert_true(now_ms <= 5000 + ORDER_MS);
}

/* A CA that rejects what it need not wait for is not asked for ever. */
static void requests_are_bounded(void **state)
{
    struct answer none = usual[AT_FINALIZE];
    struct answer ready = usual[AT_POLL];
    int count = 0;

    (void)state;
    none.body = PROBLEM("orderNotReady", "wait");
    none.status = 403;
    play(0, AT_POLL);
    for (; next() == ORDER_WANTS_REQUEST; count++)
        give(strcmp(order_request(o)->url, none.url) == 0 ? &none : &ready);
    assert_failed(AGENT_PROTOCOL, "did not come to an end");
    assert_int_equal(count, ORDER_REQUESTS_MAX - AT_POLL);
}

/* RFC 9773: said once, and left out if the CA does not like it. */
static void replaces(void **state)
{
    static const struct answer conflict = {.url = "https://ca/order",
        .body = PROBLEM("alreadyReplaced", "was"),
        .status = 409};
    size_t with = 0;
    size_t without = 0;

    (void)state;
    order_free(o);
    config.replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
    o = order_new(&config, now_ms);
    play(0, AT_ORDER);
    play_one(&conflict);
    with = strlen(last_body);
    play_one(&usual[AT_ORDER]);
    without = strlen(last_body);
    assert_true(with > without + 40);
    play(AT_AUTHZ, ANSWERS);
    assert_int_equal(next(), ORDER_IS_DONE);
}

static void failed_from_outside(void **state)
{
    struct failure failure = {.kind = AGENT_NO_FAILURE};

    (void)state;
    failure_set(&failure, AGENT_NETWORK, "no route");
    play(0, AT_ORDER);
    assert_int_equal(next(), ORDER_WANTS_REQUEST);
    order_fail(o, &failure);
    assert_failed(AGENT_NETWORK, "no route");
    assert_string_equal(order_state_name(o), "failed");
}

#define WITH_ORDER(test)                                                       \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

RUN_TESTS("order", WITH_ORDER(whole), WITH_ORDER(short_ways),
    WITH_ORDER(nonsense), WITH_ORDER(rate_limited), WITH_ORDER(bad_nonces),
    WITH_ORDER(no_nonce), WITH_ORDER(polling), WITH_ORDER(requests_are_bounded),
    WITH_ORDER(replaces), WITH_ORDER(failed_from_outside));
