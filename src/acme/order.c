#include "acme/order_part.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "acme/jws.h"

#define TO(state) (1U << (state))

/* What a state asks of the CA, and what it does with a good answer.  A state
 * without a question is not about the CA. */
struct state_row {
    const char *name;
    bool (*ask)(struct order *o);
    void (*hear)(struct order *o, const struct acme_response *response);
    uint32_t next; /* states that may follow, as bits */
};
static const struct state_row states[ORDER_STATE_COUNT];

/* The only assignment to o->state after creation. */
static void enter(struct order *o, enum order_state to)
{
    assert(states[o->state].next & TO(to));
    o->state = to;
    o->wait_until_ms = 0;
    o->poll_ms = ORDER_POLL_MIN_MS;
}

void order_fail(struct order *o, const struct failure *failure)
{
    o->failure = *failure;
    enter(o, ORDER_FAILED);
}

static void fail(struct order *o, enum agent_failure kind, const char *what)
{
    struct failure failure = {.kind = kind};

    failure_set(&failure, kind, "%s: %s", states[o->state].name, what);
    order_fail(o, &failure);
}

/* The answer is not what RFC 8555 lets a CA say here. */
static void fail_protocol(struct order *o, const char *what)
{
    fail(o, AGENT_PROTOCOL, what);
}

/* Hear: each takes an answer of status 2xx. */

static void hear_directory(
    struct order *o, const struct acme_response *response)
{
    if (!document_directory(response->body, &o->directory)) {
        fail_protocol(o, "not an ACME directory");
    } else {
        enter(o, ORDER_NONCE);
    }
}

static void hear_nonce(struct order *o, const struct acme_response *response)
{
    if (response->nonce[0] == '\0') {
        fail_protocol(o, "no Replay-Nonce");
    } else {
        enter(o, ORDER_ACCOUNT);
    }
}

static void hear_account(struct order *o, const struct acme_response *response)
{
    if (response->location.text[0] == '\0') {
        fail_protocol(o, "no account URL in Location");
        return;
    }
    o->account_url = response->location;
    enter(o, ORDER_NEW);
}

static void fail_order(struct order *o)
{
    const struct acme_problem *problem = &o->order.problem;

    fail(o, AGENT_REFUSED,
        problem->text[0] != '\0' ? problem->text : "the order is invalid");
}

static void hear_new_order(
    struct order *o, const struct acme_response *response)
{
    if (response->location.text[0] == '\0' ||
        !document_order(response->body, &o->order)) {
        fail_protocol(o, "not an order");
        return;
    }
    o->order_url = response->location;
    if (o->order.status == ACME_INVALID) {
        fail_order(o);
    } else {
        enter(o,
            o->order.status == ACME_PENDING ? ORDER_AUTHORIZATION : ORDER_POLL);
    }
}

/* One authorization is settled: to the next, or on. */
static void settle_authorization(struct order *o)
{
    o->authz_at++;
    enter(o,
        o->authz_at < o->order.authz_count ? ORDER_AUTHORIZATION : ORDER_POLL);
}

static void fail_authorization(struct order *o)
{
    const char *words = o->authz.problem.text;

    fail(o, AGENT_CHALLENGE,
        words[0] != '\0' ? words : "the authorization is not valid");
}

/* Remember the challenge that we shall meet; false if it is not offered. */
static bool choose_challenge(struct order *o)
{
    const struct acme_challenge *challenge =
        o->config.proof == ORDER_HTTP_01 ? &o->authz.http : &o->authz.tls;
    char thumbprint[JWS_THUMBPRINT_LEN + 1];

    if (challenge->url.text[0] == '\0' ||
        !jws_thumbprint(o->config.account, thumbprint))
        return false;
    o->challenge_url = challenge->url;
    memcpy(o->token, challenge->token, sizeof(o->token));
    return text_format(
        o->key_auth, sizeof(o->key_auth), "%s.%s", o->token, thumbprint);
}

static void hear_authorization(
    struct order *o, const struct acme_response *response)
{
    if (!document_authz(response->body, &o->authz)) {
        fail_protocol(o, "not an authorization");
    } else if (strcmp(o->authz.domain, o->config.domain) != 0) {
        fail_protocol(o, "an authorization for another domain");
    } else if (o->authz.status == ACME_VALID) {
        settle_authorization(o);
    } else if (o->authz.status != ACME_PENDING) {
        fail_authorization(o);
    } else if (!choose_challenge(o)) {
        fail(o, AGENT_CHALLENGE, "the CA does not offer our challenge");
    } else {
        enter(o, ORDER_PRESENT);
    }
}

static void hear_challenge(
    struct order *o, const struct acme_response *response)
{
    (void)response;
    enter(o, ORDER_VALIDATE);
}

/* The same question again, later. */
static void wait_for(struct order *o, const struct acme_response *response)
{
    uint64_t wait_ms = o->poll_ms;

    if (response->retry_after_s > 0) {
        uint64_t wish_ms = (uint64_t)response->retry_after_s * 1000;

        wait_ms = wish_ms < ORDER_POLL_WISH_MS ? wish_ms : ORDER_POLL_WISH_MS;
    }
    o->poll_ms *= 2;
    if (o->poll_ms > ORDER_POLL_MAX_MS)
        o->poll_ms = ORDER_POLL_MAX_MS;
    o->wait_until_ms = wait_ms; /* from now: order_answer() adds that */
}

static void hear_validation(
    struct order *o, const struct acme_response *response)
{
    if (!document_authz(response->body, &o->authz)) {
        fail_protocol(o, "not an authorization");
    } else if (o->authz.status == ACME_VALID) {
        settle_authorization(o);
    } else if (o->authz.status == ACME_PENDING) {
        wait_for(o, response);
    } else {
        fail_authorization(o);
    }
}

static void judge_order(struct order *o, const struct acme_response *response)
{
    switch (o->order.status) {
    case ACME_PENDING:
    case ACME_PROCESSING:
        wait_for(o, response);
        return;
    case ACME_READY:
        if (o->finalized) {
            wait_for(o, response);
        } else {
            enter(o, ORDER_FINALIZE);
        }
        return;
    case ACME_VALID:
        if (o->order.certificate.text[0] == '\0' || o->leaf == NULL) {
            fail_protocol(o, "a valid order without our certificate");
        } else {
            enter(o, ORDER_CERTIFICATE);
        }
        return;
    case ACME_INVALID:
        fail_order(o);
        return;
    }
}

static void hear_order(struct order *o, const struct acme_response *response)
{
    if (!document_order(response->body, &o->order)) {
        fail_protocol(o, "not an order");
    } else {
        judge_order(o, response);
    }
}

static void hear_finalize(struct order *o, const struct acme_response *response)
{
    o->finalized = true;
    enter(o, ORDER_POLL);
    hear_order(o, response);
}

static void hear_certificate(
    struct order *o, const struct acme_response *response)
{
    OWNED_PEM key = {.text = NULL};

    if (response->body.len == 0 || response->body.len > AGENT_CHAIN_MAX) {
        fail_protocol(o, "the chain is empty or too long");
        return;
    }
    if (!pem_write_key(o->leaf, &key) ||
        !pem_join(pem_span(&key), response->body, &o->certificate)) {
        fail(o, AGENT_INTERNAL, "out of memory");
        return;
    }
    enter(o, ORDER_DONE);
}

#define OR_FAILED (TO(ORDER_FAILED))

/* clang-format off */
static const struct state_row states[ORDER_STATE_COUNT] = {
    [ORDER_DIRECTORY]     = {"directory", order_ask_directory, hear_directory,
                             TO(ORDER_NONCE) | OR_FAILED},
    [ORDER_NONCE]         = {"new-nonce", order_ask_nonce, hear_nonce,
                             TO(ORDER_ACCOUNT) | OR_FAILED},
    [ORDER_ACCOUNT]       = {"new-account", order_ask_account, hear_account,
                             TO(ORDER_NEW) | OR_FAILED},
    [ORDER_NEW]           = {"new-order", order_ask_new, hear_new_order,
                             TO(ORDER_AUTHORIZATION) | TO(ORDER_POLL) |
                             OR_FAILED},
    [ORDER_AUTHORIZATION] = {"authorization", order_ask_authorization,
                             hear_authorization,
                             TO(ORDER_PRESENT) | TO(ORDER_AUTHORIZATION) |
                             TO(ORDER_POLL) | OR_FAILED},
    [ORDER_PRESENT]       = {"present", NULL, NULL,
                             TO(ORDER_RESPOND) | OR_FAILED},
    [ORDER_RESPOND]       = {"challenge", order_ask_validation, hear_challenge,
                             TO(ORDER_VALIDATE) | OR_FAILED},
    [ORDER_VALIDATE]      = {"validation", order_ask_authorization,
                             hear_validation,
                             TO(ORDER_AUTHORIZATION) | TO(ORDER_POLL) |
                             OR_FAILED},
    [ORDER_POLL]          = {"order", order_ask_order, hear_order,
                             TO(ORDER_FINALIZE) | TO(ORDER_CERTIFICATE) |
                             OR_FAILED},
    [ORDER_FINALIZE]      = {"finalize", order_ask_finalize, hear_finalize,
                             TO(ORDER_POLL) | OR_FAILED},
    [ORDER_CERTIFICATE]   = {"certificate", order_ask_certificate,
                             hear_certificate,
                             TO(ORDER_DONE) | OR_FAILED},
    [ORDER_DONE]          = {"done", NULL, NULL, OR_FAILED},
    [ORDER_FAILED]        = {"failed", NULL, NULL, OR_FAILED},
};
/* clang-format on */

struct order *order_new(const struct order_config *config, uint64_t now_ms)
{
    struct order *o = calloc(1, sizeof(*o));

    if (o == NULL)
        return NULL;
    o->config = *config;
    o->deadline_ms = now_ms + ORDER_MS;
    o->poll_ms = ORDER_POLL_MIN_MS;
    return o;
}

void order_free(struct order *o)
{
    if (o == NULL)
        return;
    EVP_PKEY_free(o->leaf);
    pem_done(&o->certificate);
    free(o);
}

enum order_want order_step(struct order *o, uint64_t now_ms)
{
    if (o->state == ORDER_DONE)
        return ORDER_IS_DONE;
    if (o->state == ORDER_FAILED)
        return ORDER_HAS_FAILED;
    if (now_ms >= o->deadline_ms || o->requests >= ORDER_REQUESTS_MAX) {
        fail_protocol(o, "the CA did not come to an end");
        return ORDER_HAS_FAILED;
    }
    if (o->state == ORDER_PRESENT)
        return ORDER_WANTS_PRESENT;
    if (now_ms < o->wait_until_ms)
        return ORDER_WANTS_WAIT;
    o->wait_until_ms = 0;
    o->requests++;
    if (o->nonce[0] == '\0' && o->state > ORDER_NONCE) {
        /* the last answer had none: fetch one between two questions */
        (void)order_ask_nonce(o);
        return ORDER_WANTS_REQUEST;
    }
    if (!states[o->state].ask(o)) {
        fail(o, AGENT_INTERNAL, "the request cannot be made");
        return ORDER_HAS_FAILED;
    }
    return ORDER_WANTS_REQUEST;
}

const char *order_state_name(const struct order *o)
{
    return states[o->state].name;
}

const struct acme_request *order_request(const struct order *o)
{
    return &o->request;
}

struct order_challenge order_challenge(const struct order *o)
{
    assert(o->state == ORDER_PRESENT);
    return (struct order_challenge){.token = o->token, .key_auth = o->key_auth};
}

uint64_t order_wait_until_ms(const struct order *o)
{
    return o->wait_until_ms < o->deadline_ms ? o->wait_until_ms
                                             : o->deadline_ms;
}

void order_presented(struct order *o)
{
    enter(o, ORDER_RESPOND);
}

static bool is_problem(const struct order *o, const char *type)
{
    return strcmp(o->problem.type, type) == 0;
}

static enum agent_failure kind_of(
    const struct order *o, const struct acme_response *response)
{
    if (response->status == 429 || is_problem(o, "rateLimited"))
        return AGENT_RATE_LIMITED;
    if (o->problem.text[0] == '\0' && o->problem.type[0] == '\0' &&
        response->status < 500)
        return AGENT_PROTOCOL;
    return AGENT_REFUSED;
}

static void fail_with_problem(
    struct order *o, const struct acme_response *response)
{
    struct failure failure = {.kind = AGENT_NO_FAILURE};

    failure_set(&failure, kind_of(o, response), "%s: status %ld%s%s%s%s",
        states[o->state].name, response->status,
        o->problem.type[0] == '\0' ? "" : " ", o->problem.type,
        o->problem.text[0] == '\0' ? "" : ": ", o->problem.text);
    if (response->retry_after_s > 0)
        failure.retry_after_s = response->retry_after_s;
    order_fail(o, &failure);
}

/* An answer of status 4xx or 5xx: once more, or the end. */
static void hear_problem(struct order *o, const struct acme_response *response)
{
    (void)document_problem(response->body, &o->problem);
    if (is_problem(o, "badNonce") && o->nonces_rejected < ORDER_NONCES_MAX) {
        o->nonces_rejected++; /* RFC 8555 section 6.5 */
        return;
    }
    if (o->state == ORDER_FINALIZE && is_problem(o, "orderNotReady")) {
        enter(o, ORDER_POLL);
        return;
    }
    if (o->state == ORDER_NEW && order_wants_replaces(o) &&
        response->status < 500 && kind_of(o, response) != AGENT_RATE_LIMITED) {
        o->skip_replaces = true;
        return;
    }
    fail_with_problem(o, response);
}

void order_answer(
    struct order *o, const struct acme_response *response, uint64_t now_ms)
{
    bool was_nonce = o->request.method == ACME_HEAD;

    assert(states[o->state].hear != NULL);
    memcpy(o->nonce, response->nonce, sizeof(o->nonce));
    if (response->status >= 400) {
        hear_problem(o, response);
    } else if (response->status >= 300) {
        fail_protocol(o, "a redirect, which is not followed");
    } else if (response->status < 200) {
        fail_protocol(o, "an HTTP status below 200");
    } else if (was_nonce && o->state != ORDER_NONCE) {
        if (o->nonce[0] == '\0')
            fail_protocol(o, "no Replay-Nonce");
    } else {
        states[o->state].hear(o, response);
    }
    if (o->wait_until_ms > 0)
        o->wait_until_ms += now_ms;
}

struct pem order_certificate(struct order *o)
{
    assert(o->state == ORDER_DONE);
    return pem_take(&o->certificate);
}

const struct failure *order_failure(const struct order *o)
{
    assert(o->state == ORDER_FAILED);
    return &o->failure;
}
