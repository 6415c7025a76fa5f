#include "acme/transport.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "outward/https.h"

struct transport {
    CURL *curl;
    struct curl_slist *post_headers;
    struct curl_slist *get_headers;
    struct transport_config config;
    size_t body_len;
    bool too_large;
    uint8_t body[TRANSPORT_BODY_MAX];
    char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transport *t = ctx;
    size_t len = size * count; /* size is 1, CURLOPT_WRITEFUNCTION(3) */

    if (len > sizeof(t->body) - t->body_len) {
        t->too_large = true;
        return 0;
    }
    memcpy(t->body + t->body_len, data, len);
    t->body_len += len;
    return len;
}

/* Not zero ends the transfer. */
static int on_progress(void *ctx, curl_off_t to_get, curl_off_t got,
    curl_off_t to_send, curl_off_t sent)
{
    struct transport *t = ctx;

    (void)to_get;
    (void)got;
    (void)to_send;
    (void)sent;
    return t->config.is_cancelled != NULL &&
           t->config.is_cancelled(t->config.ctx);
}

/* What holds for every request. */
static bool set_options(struct transport *t)
{
    CURL *c = t->curl;
    const struct https_options options = {
        .ca_file = t->config.ca_file,
        .user_agent = t->config.user_agent,
        .connect_ms = TRANSPORT_CONNECT_MS,
        .total_ms = TRANSPORT_TOTAL_MS,
    };

    return https_set(c, &options) &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) ==
               CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFODATA, t) == CURLE_OK;
}

/* Append a line to the list; on failure the list is freed. */
static struct curl_slist *append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);

    if (longer == NULL)
        curl_slist_free_all(list);
    return longer;
}

struct transport *transport_new(const struct transport_config *config)
{
    struct transport *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->config = *config;
    t->curl = curl_easy_init();
    /* RFC 8555 section 6.1 wants the language, 6.2 the type */
    t->get_headers = append(NULL, "Accept-Language: en");
    t->post_headers = append(NULL, "Accept-Language: en");
    if (t->post_headers != NULL) {
        t->post_headers =
            append(t->post_headers, "Content-Type: application/jose+json");
    }
    if (t->curl == NULL || t->get_headers == NULL || t->post_headers == NULL ||
        !set_options(t)) {
        transport_free(t);
        return NULL;
    }
    return t;
}

void transport_free(struct transport *t)
{
    if (t == NULL)
        return;
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->get_headers);
    curl_slist_free_all(t->post_headers);
    free(t);
}

static bool set_request(struct transport *t, const struct acme_request *request)
{
    CURL *c = t->curl;
    bool is_post = request->method == ACME_POST;

    if (curl_easy_setopt(c, CURLOPT_URL, request->url) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_NOBODY,
            request->method == ACME_HEAD ? 1L : 0L) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_HTTPHEADER,
            is_post ? t->post_headers : t->get_headers) != CURLE_OK)
        return false;
    if (request->method == ACME_HEAD)
        return true;
    if (!is_post)
        return curl_easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
               (curl_off_t)request->body.len) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, request->body.ptr) ==
               CURLE_OK;
}

/* A nonce is base64url, RFC 8555 section 6.5.1. */
static bool is_nonce(const char *text)
{
    return text[0] != '\0' && strlen(text) < ACME_NONCE_MAX &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789-_")] == '\0';
}

static void read_answer(struct transport *t, struct acme_response *ret)
{
    const char *nonce = https_field(t->curl, "Replay-Nonce");
    const char *location = https_field(t->curl, "Location");

    *ret = (struct acme_response){.body = span_of(t->body, t->body_len)};
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    if (is_nonce(nonce))
        memcpy(ret->nonce, nonce, strlen(nonce) + 1);
    if (document_is_url(location))
        memcpy(ret->location.text, location, strlen(location) + 1);
    ret->retry_after_s =
        https_retry_after(t->curl, TRANSPORT_RETRY_AFTER_MAX_S);
}

/* The library has limits for headers too, and says "out of memory" above
 * them; without an answer it would mean it. */
static bool is_header_too_large(struct transport *t, CURLcode code)
{
    curl_off_t began_us = 0;

    return code == CURLE_OUT_OF_MEMORY &&
           curl_easy_getinfo(
               t->curl, CURLINFO_STARTTRANSFER_TIME_T, &began_us) == CURLE_OK &&
           began_us > 0;
}

static enum agent_failure kind_of(const struct transport *t, CURLcode code)
{
    if (t->too_large)
        return AGENT_PROTOCOL;
    if (code == CURLE_PEER_FAILED_VERIFICATION ||
        code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM)
        return AGENT_UNTRUSTED;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return AGENT_CANCELLED;
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        return AGENT_PROTOCOL;
    return code == CURLE_OUT_OF_MEMORY ? AGENT_INTERNAL : AGENT_NETWORK;
}

bool transport_perform(struct transport *t, const struct acme_request *request,
    struct acme_response *ret, struct failure *ret_failure)
{
    CURLcode code = CURLE_OK;

    assert(request->url[0] != '\0');
    t->body_len = 0;
    t->too_large = false;
    t->error[0] = '\0';
    if (!set_request(t, request)) {
        failure_set(ret_failure, AGENT_INTERNAL, "out of memory");
        return false;
    }
    code = curl_easy_perform(t->curl);
    if (code == CURLE_OK) {
        read_answer(t, ret);
        return true;
    }
    t->too_large = t->too_large || is_header_too_large(t, code);
    failure_set(ret_failure, kind_of(t, code), "%s: %s", request->url,
        t->too_large          ? "the answer exceeds the limit"
        : t->error[0] != '\0' ? t->error
                              : curl_easy_strerror(code));
    return false;
}
