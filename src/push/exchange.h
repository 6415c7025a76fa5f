/*
 * exchange: one HTTPS POST and its answer, of which the first bytes are kept.
 *
 * An exchange belongs to a curl multi handle while it is under way; several
 * run at once.  HTTP/1.1 on purpose: a request that gets no answer then costs
 * its own connection, where HTTP/2 would have all others wait on it.
 */
#pragma once

#include "base/span.h"
#include "outward/https.h"

enum {
    EXCHANGE_ANSWER_MAX = 4096, /* bytes that are read */
    EXCHANGE_CONNECT_MS = 5000,
    EXCHANGE_TOTAL_MS = 10000, /* from the start to the answer's end */
    EXCHANGE_RETRY_AFTER_MAX_S = 86400,
};

struct exchange {
    CURL *easy;    /* NULL: not open */
    CURLM *multi;  /* NULL: not under way */
    void *owner;   /* for whoever finds it at the end */
    size_t len;    /* of the answer so far */
    bool is_whole; /* as much was read as will be */
    uint8_t answer[EXCHANGE_ANSWER_MAX];
};

/* A POST; all of it is copied or outlives the exchange. */
struct exchange_request {
    const char *url;
    const char *bearer;         /* access token; NULL: none */
    struct curl_slist *headers; /* outlives the exchange */
    struct span body;
};

struct exchange_answer {
    long status;           /* HTTP; 0: there was no answer */
    const char *fault;     /* then why, a constant */
    struct span body;      /* valid until the next request */
    int64_t retry_after_s; /* from now; -1: it does not say */
};

/* False: out of memory.  What options point to outlives the exchange. */
MUST_CHECK NONNULL bool exchange_open(
    struct exchange *e, const struct https_options *options);
/* Safe on one that is not open, or under way. */
NONNULL void exchange_close(struct exchange *e);

/* Begin; false: out of memory. */
MUST_CHECK NONNULL bool exchange_begin(
    struct exchange *e, CURLM *multi, const struct exchange_request *request);

/* Its end has come, or has to come: it is under way no more. */
NONNULL void exchange_end(struct exchange *e);

/* The exchange of a handle that curl_multi_info_read(3) gave. */
NONNULL struct exchange *exchange_of(CURL *easy);

/* What came of it, by curl's result. */
NONNULL void exchange_read(
    const struct exchange *e, CURLcode code, struct exchange_answer *ret);
