/* The access token of a sender: fetched once for all who wait for it. */
#include <time.h>

#include "outward/clock.h"
#include "push/jwt.h"
#include "push/sender_part.h"

#define FETCH_FAILED "relay: fcm access-token fetch failed"

static const char form[] =
    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    "&assertion=";

_Static_assert(
    FCM_BODY_MAX > JWT_MAX + sizeof(form), "the form fits where messages do");

/* For everybody who waits: try again later, or report. */
static void fetch_failed(
    struct sender *s, const struct exchange_answer *answer, const char *text)
{
    for (size_t i = 0; i < SENDER_JOBS; i++) {
        if (s->jobs[i].state == JOB_TOKEN) {
            sender_failed(
                s, &s->jobs[i], answer, PUSH_TOKEN_FETCH_FAILED, text);
        }
    }
}

/* A form, RFC 7523 section 2.1; base64url and dots need no escapes. */
static bool begin(struct sender *s)
{
    struct text body = text_over(s->body, sizeof(s->body));
    bool has_begun = false;

    text_add_str(&body, form);
    if (jwt_sign(s->config.account, clock_unix_s(), &body)) {
        has_begun = exchange_begin(&s->fetch, s->multi,
            &(struct exchange_request){
                .url = s->config.account->token_uri,
                .body = span_of(s->body, body.len),
            });
    }
    explicit_bzero(s->body, body.len);
    return has_begun;
}

void sender_fetch(struct sender *s)
{
    static const struct exchange_answer none = {.retry_after_s = -1};

    if (s->fetch.multi == NULL && !begin(s))
        fetch_failed(s, &none, FETCH_FAILED);
}

void sender_fetched(struct sender *s, const struct exchange_answer *answer)
{
    char text[PUSH_TEXT_MAX] = FETCH_FAILED;
    bool is_answer = answer->status >= 200 && answer->status < 300;

    if (is_answer &&
        token_take(&s->token, answer->body, clock_monotonic_ms())) {
        for (size_t i = 0; i < SENDER_JOBS; i++) {
            if (s->jobs[i].state == JOB_TOKEN)
                sender_begin(s, &s->jobs[i]);
        }
        return;
    }
    if (answer->status == 0) {
        (void)text_format(
            text, sizeof(text), FETCH_FAILED ": %s", answer->fault);
    } else if (is_answer) {
        (void)text_format(
            text, sizeof(text), FETCH_FAILED ": no token in the answer");
    } else {
        (void)text_format(
            text, sizeof(text), FETCH_FAILED ": status %ld", answer->status);
    }
    fetch_failed(s, answer, text);
}
