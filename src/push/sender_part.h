/* sender_part: what the two files of sender share.  See sender.h. */
#pragma once

#include "push/exchange.h"
#include "push/fcm.h"
#include "push/retry.h"
#include "push/sender.h"
#include "push/token.h"

enum job_state {
    JOB_FREE,
    JOB_TOKEN,   /* waits for an access token */
    JOB_SENDING, /* its request is under way */
    JOB_RESTING, /* until it is tried again */
};

struct job {
    enum job_state state;
    uint32_t id;
    uint8_t requests;
    bool renewed;          /* the access token, after a 401 */
    uint32_t token_serial; /* of the one that the request carries */
    struct retry retry;
    uint64_t rests_until_ms; /* JOB_RESTING */
    struct exchange exchange;
    size_t token_len;
    uint8_t token[PUSH_TOKEN_MAX]; /* the device's */
};

struct sender {
    struct sender_config config;
    CURLM *multi;
    struct curl_slist *json; /* header fields of a message */
    char url[FCM_URL_MAX];
    struct token token;
    struct exchange fetch; /* of the token */
    struct job jobs[SENDER_JOBS];
    char body[FCM_BODY_MAX]; /* of the request that begins */
};

/* Send the job by the token that there is. */
NONNULL void sender_begin(struct sender *s, struct job *j);

/* Try it again later, or report it: what failed is said by outcome and text. */
NONNULL void sender_failed(struct sender *s, struct job *j,
    const struct exchange_answer *answer, enum push_outcome outcome,
    const char *text);

/* Have a token fetched; whoever waits for it hears if that cannot begin. */
NONNULL void sender_fetch(struct sender *s);
/* The fetch has ended. */
NONNULL void sender_fetched(
    struct sender *s, const struct exchange_answer *answer);
