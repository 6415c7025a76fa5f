#include "acme/agent_part.h"

#include <string.h>

#include "acme/request.h"
#include "outward/clock.h"

int64_t agent_due_s(const struct agent *a)
{
    struct schedule s = a->schedule;

    if (a->is_unsaved)
        s.not_after_s = 0;
    return schedule_due(&s, &a->config.policy, clock_unix_s());
}

/* As a message carries it. */
static uint64_t due_when(const struct agent *a)
{
    int64_t due = agent_due_s(a);

    return due > 0 ? (uint64_t)due : 0;
}

/* Messages. */

static void send_message(struct agent *a, const struct agent_message *message)
{
    if (!a->is_stopping && channel_send(a->channel, message) != 0)
        a->is_stopping = true;
}

void agent_send_status(struct agent *a, enum agent_state state)
{
    struct agent_message message = {.type = AGENT_STATUS,
        .kind = (uint8_t)state,
        .when_s = state == AGENT_IDLE ? due_when(a) : 0};

    send_message(a, &message);
}

void agent_send_failure(struct agent *a, const struct failure *failure)
{
    struct agent_message message = {.type = AGENT_FAILURE,
        .kind = (uint8_t)failure->kind,
        .when_s = due_when(a),
        .parts = {span_str(failure->text)}};

    send_message(a, &message);
}

void agent_send_certificate(struct agent *a,
    const struct certificate *certificate, enum agent_source source)
{
    struct agent_message message = {.type = AGENT_CERTIFICATE,
        .kind = (uint8_t)source,
        .when_s = (uint64_t)certificate->not_after_s,
        .parts = {
            span_str(a->config.domain), certificate->key, certificate->chain}};

    send_message(a, &message);
}

static void hear_message(struct agent *a, const struct agent_message *message)
{
    if (message->type == AGENT_STOP) {
        a->is_stopping = true;
    } else if (message->type == AGENT_RENEW) {
        a->must_renew = true;
    } else if (span_eq(message->parts[0], span_str(a->presented))) {
        a->is_presented = true;
    }
}

bool agent_hear(struct agent *a, int timeout_ms)
{
    struct agent_message message;
    int status = channel_receive(a->channel, timeout_ms, &message);

    if (status < 0) {
        a->is_stopping = true;
    } else if (status > 0) {
        hear_message(a, &message);
    }
    return status > 0;
}

/* Hooks of transport and issue. */

bool agent_is_cancelled(void *ctx)
{
    struct agent *a = ctx;

    (void)agent_hear(a, 0);
    return a->is_stopping;
}

/* Hear what comes until the time has passed or the wait is over. */
static void hear_until(
    struct agent *a, uint64_t deadline_ms, const bool *is_over)
{
    while (!a->is_stopping && !*is_over) {
        uint64_t now_ms = clock_monotonic_ms();

        if (now_ms >= deadline_ms)
            return;
        (void)agent_hear(a, (int)(deadline_ms - now_ms));
    }
}

bool agent_wait(void *ctx, uint64_t ms)
{
    struct agent *a = ctx;
    bool never = false;

    hear_until(a, clock_monotonic_ms() + ms, &never);
    return !a->is_stopping;
}

static bool send_proof(struct agent *a, enum order_proof proof,
    const struct order_challenge *challenge)
{
    OWNED_PEM key = {.text = NULL};
    OWNED_PEM cert = {.text = NULL};
    struct agent_message message = {.type = AGENT_PRESENT_HTTP,
        .parts = {span_str(challenge->token), span_str(challenge->key_auth)}};

    if (proof == ORDER_TLS_ALPN_01) {
        if (!request_challenge_certificate(
                a->config.domain, challenge->key_auth, &key, &cert))
            return false;
        message = (struct agent_message){.type = AGENT_PRESENT_TLS,
            .parts = {
                span_str(a->config.domain), pem_span(&key), pem_span(&cert)}};
    }
    memcpy(a->presented, message.parts[0].ptr, message.parts[0].len);
    a->presented[message.parts[0].len] = '\0';
    a->is_presented = false;
    send_message(a, &message);
    return true;
}

bool agent_present(void *ctx, enum order_proof proof,
    const struct order_challenge *challenge, struct failure *ret_failure)
{
    struct agent *a = ctx;

    if (!send_proof(a, proof, challenge)) {
        failure_set(ret_failure, AGENT_INTERNAL,
            "the challenge's certificate cannot be made");
        return false;
    }
    hear_until(a, clock_monotonic_ms() + AGENT_PRESENT_MS, &a->is_presented);
    if (a->is_presented && !a->is_stopping)
        return true;
    failure_set(ret_failure, a->is_stopping ? AGENT_CANCELLED : AGENT_INTERNAL,
        "the relay did not serve the challenge");
    return false;
}

void agent_withdraw(void *ctx)
{
    struct agent *a = ctx;
    struct agent_message message = {
        .type = AGENT_WITHDRAW, .parts = {span_str(a->presented)}};

    if (a->presented[0] != '\0')
        send_message(a, &message);
    a->presented[0] = '\0';
}
