#include "push/exchange.h"

#include <string.h>

/* Behind the limit the connection is given up: what comes is of no use. */
static size_t take_answer(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *e = ctx;
    size_t len = size * count; /* size is 1, CURLOPT_WRITEFUNCTION(3) */
    size_t room = sizeof(e->answer) - e->len;

    e->is_whole = len > room;
    if (len > room)
        len = room;
    memcpy(e->answer + e->len, data, len);
    e->len += len;
    return e->is_whole ? 0 : len;
}

bool exchange_open(struct exchange *e, const struct https_options *options)
{
    e->easy = curl_easy_init();
    return e->easy != NULL && https_set(e->easy, options) &&
           curl_easy_setopt(e->easy, CURLOPT_HTTP_VERSION,
               (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(e->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) ==
               CURLE_OK &&
           curl_easy_setopt(e->easy, CURLOPT_WRITEFUNCTION, take_answer) ==
               CURLE_OK &&
           curl_easy_setopt(e->easy, CURLOPT_WRITEDATA, e) == CURLE_OK &&
           curl_easy_setopt(e->easy, CURLOPT_PRIVATE, e) == CURLE_OK;
}

void exchange_close(struct exchange *e)
{
    exchange_end(e);
    curl_easy_cleanup(e->easy);
    explicit_bzero(e->answer, sizeof(e->answer));
    e->easy = NULL;
}

bool exchange_begin(
    struct exchange *e, CURLM *multi, const struct exchange_request *request)
{
    CURL *c = e->easy;

    e->len = 0;
    e->is_whole = false;
    if (curl_easy_setopt(c, CURLOPT_URL, request->url) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, request->headers) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, request->bearer) !=
            CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
            (curl_off_t)request->body.len) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, request->body.ptr) !=
            CURLE_OK ||
        curl_multi_add_handle(multi, c) != CURLM_OK)
        return false;
    e->multi = multi;
    return true;
}

void exchange_end(struct exchange *e)
{
    if (e->multi == NULL)
        return;
    (void)curl_multi_remove_handle(e->multi, e->easy);
    e->multi = NULL;
}

struct exchange *exchange_of(CURL *easy)
{
    char *at = NULL;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &at);
    return (struct exchange *)(void *)at;
}

static const char *fault_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timed out";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "the host's name was not resolved";
    case CURLE_COULDNT_CONNECT:
        return "not reached";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return "the server's certificate does not verify";
    case CURLE_SSL_CONNECT_ERROR:
        return "the TLS handshake failed";
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return "the connection broke";
    case CURLE_OUT_OF_MEMORY:
        return "out of memory";
    default:
        return "the answer makes no sense";
    }
}

void exchange_read(
    const struct exchange *e, CURLcode code, struct exchange_answer *ret)
{
    *ret = (struct exchange_answer){
        .body = span_of(e->answer, e->len), .retry_after_s = -1};
    if (code != CURLE_OK && !e->is_whole) {
        ret->fault = fault_of(code);
        return;
    }
    (void)curl_easy_getinfo(e->easy, CURLINFO_RESPONSE_CODE, &ret->status);
    ret->retry_after_s = https_retry_after(e->easy, EXCHANGE_RETRY_AFTER_MAX_S);
}
