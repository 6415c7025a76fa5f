#include "push/sender.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "outward/clock.h"
#include "push/sender_part.h"

#define SEND_FAILED "relay: fcm send failed"

static void report(struct sender *s, struct job *j, enum push_outcome outcome,
    const char *text)
{
    const struct sender_report what = {
        .id = j->id,
        .outcome = outcome,
        .requests = j->requests,
        .text = text,
    };

    j->state = JOB_FREE;
    explicit_bzero(j->token, j->token_len);
    s->config.report(s->config.ctx, &what);
}

static uint32_t chance(void)
{
    uint32_t value = 0;

    /* only spreads load: without it, all is as well */
    (void)RAND_bytes((unsigned char *)&value, sizeof(value));
    return value;
}

void sender_failed(struct sender *s, struct job *j,
    const struct exchange_answer *answer, enum push_outcome outcome,
    const char *text)
{
    if (retry_is_worth(answer->status) &&
        retry_plan(&j->retry, clock_monotonic_ms(), answer->retry_after_s,
            chance(), &j->rests_until_ms)) {
        j->state = JOB_RESTING;
    } else {
        report(s, j, outcome, text);
    }
}

static bool post(struct sender *s, struct job *j)
{
    struct text body = text_over(s->body, sizeof(s->body));
    bool has_begun = fcm_body(span_of(j->token, j->token_len), &body) &&
                     exchange_begin(&j->exchange, s->multi,
                         &(struct exchange_request){
                             .url = s->url,
                             .bearer = s->token.text,
                             .headers = s->json,
                             .body = span_of(s->body, body.len),
                         });

    explicit_bzero(s->body, body.len);
    return has_begun;
}

void sender_begin(struct sender *s, struct job *j)
{
    if (!post(s, j)) {
        report(s, j, PUSH_SEND_FAILED, SEND_FAILED ": out of memory");
        return;
    }
    j->state = JOB_SENDING;
    j->token_serial = s->token.serial;
    if (j->requests < UINT8_MAX)
        j->requests++;
}

/* Send the job if there is a token for it, else have one fetched. */
static void start(struct sender *s, struct job *j)
{
    if (token_is_good(&s->token, clock_monotonic_ms())) {
        sender_begin(s, j);
    } else {
        j->state = JOB_TOKEN;
        sender_fetch(s);
    }
}

/* Google takes the access token no more: a new one, once. */
static bool renew_token(
    struct sender *s, struct job *j, const struct exchange_answer *answer)
{
    if (answer->status != 401 || j->renewed)
        return false;
    j->renewed = true;
    if (j->token_serial == s->token.serial)
        token_drop(&s->token);
    start(s, j);
    return true;
}

static void sent(
    struct sender *s, struct job *j, const struct exchange_answer *answer)
{
    char buf[PUSH_TEXT_MAX + 1];
    struct text text = text_over(buf, sizeof(buf));
    enum push_outcome outcome = PUSH_SEND_FAILED;

    if (answer->status >= 200 && answer->status < 300) {
        fcm_message_id(answer->body, buf);
        report(s, j, PUSH_SENT, buf);
        return;
    }
    if (renew_token(s, j, answer))
        return;
    if (answer->status == 0) {
        text_addf(&text, SEND_FAILED ": %s", answer->fault);
    } else {
        outcome = fcm_failure(answer->status, answer->body, &text);
    }
    sender_failed(s, j, answer, outcome, buf);
}

static void on_done(struct sender *s, struct exchange *e, CURLcode code)
{
    struct exchange_answer answer;

    exchange_read(e, code, &answer);
    exchange_end(e);
    if (e == &s->fetch) {
        sender_fetched(s, &answer);
    } else {
        sent(s, e->owner, &answer);
    }
}

static void wake_rested(struct sender *s)
{
    uint64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < SENDER_JOBS; i++) {
        struct job *j = &s->jobs[i];

        if (j->state == JOB_RESTING && j->rests_until_ms <= now_ms)
            start(s, j);
    }
}

void sender_perform(struct sender *s)
{
    int left = 0;
    int running = 0;
    const CURLMsg *message = NULL;

    wake_rested(s);
    (void)curl_multi_perform(s->multi, &running);
    while ((message = curl_multi_info_read(s->multi, &left)) != NULL) {
        CURLcode code = message->data.result;

        if (message->msg == CURLMSG_DONE)
            on_done(s, exchange_of(message->easy_handle), code);
    }
}

/* How long nothing is due. */
static int idle_ms(const struct sender *s)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t least = SENDER_POLL_MS;

    for (size_t i = 0; i < SENDER_JOBS; i++) {
        const struct job *j = &s->jobs[i];

        if (j->state != JOB_RESTING)
            continue;
        if (j->rests_until_ms <= now_ms)
            return 0;
        if (j->rests_until_ms - now_ms < least)
            least = j->rests_until_ms - now_ms;
    }
    return (int)least;
}

enum sender_event sender_wait(struct sender *s, int fd)
{
    struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};

    (void)curl_multi_poll(s->multi, &extra, 1, idle_ms(s), NULL);
    return extra.revents != 0 ? SENDER_READABLE : SENDER_GOES_ON;
}

static struct job *find_free(struct sender *s)
{
    for (size_t i = 0; i < SENDER_JOBS; i++) {
        if (s->jobs[i].state == JOB_FREE)
            return &s->jobs[i];
    }
    return NULL;
}

void sender_send(struct sender *s, uint32_t id, struct span token)
{
    struct job *j = find_free(s);

    if (j == NULL || token.len > sizeof(j->token)) {
        s->config.report(
            s->config.ctx, &(struct sender_report){
                               .id = id,
                               .outcome = PUSH_SEND_FAILED,
                               .text = SEND_FAILED ": too many are under way",
                           });
        return;
    }
    j->id = id;
    j->requests = 0;
    j->renewed = false;
    j->retry = (struct retry){.began_ms = clock_monotonic_ms()};
    j->token_len = token.len;
    memcpy(j->token, token.ptr, token.len);
    start(s, j);
}

void sender_cancel(struct sender *s)
{
    exchange_end(&s->fetch);
    for (size_t i = 0; i < SENDER_JOBS; i++) {
        struct job *j = &s->jobs[i];
        bool fetches = j->state == JOB_TOKEN;

        if (j->state == JOB_FREE)
            continue;
        exchange_end(&j->exchange);
        report(s, j, fetches ? PUSH_TOKEN_FETCH_FAILED : PUSH_SEND_FAILED,
            fetches ? "relay: fcm access-token fetch failed: cancelled"
                    : SEND_FAILED ": cancelled");
    }
}

static bool open_all(struct sender *s)
{
    const struct https_options options = {
        .ca_file = s->config.ca_file,
        .user_agent = s->config.user_agent,
        .connect_ms = EXCHANGE_CONNECT_MS,
        .total_ms = EXCHANGE_TOTAL_MS,
    };

    s->multi = curl_multi_init();
    s->json = curl_slist_append(NULL, "Content-Type: application/json");
    if (s->multi == NULL || s->json == NULL ||
        !exchange_open(&s->fetch, &options))
        return false;
    for (size_t i = 0; i < SENDER_JOBS; i++) {
        s->jobs[i].exchange.owner = &s->jobs[i];
        if (!exchange_open(&s->jobs[i].exchange, &options))
            return false;
    }
    return fcm_url(s->config.endpoint, s->config.account->project, s->url);
}

struct sender *sender_new(const struct sender_config *config)
{
    struct sender *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->config = *config;
    if (!open_all(s)) {
        sender_free(s);
        return NULL;
    }
    return s;
}

void sender_free(struct sender *s)
{
    if (s == NULL)
        return;
    exchange_close(&s->fetch);
    for (size_t i = 0; i < SENDER_JOBS; i++)
        exchange_close(&s->jobs[i].exchange);
    curl_slist_free_all(s->json);
    curl_multi_cleanup(s->multi);
    explicit_bzero(s, sizeof(*s));
    free(s);
}
