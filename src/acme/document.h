/*
 * document: the JSON documents of a CA, RFC 8555 section 7 and RFC 9773.
 *
 * Everything in them is a stranger's: a document is taken only if what we use
 * of it has the right type and stays below these limits, URLs are https, and
 * texts for the log are bounded.  Pure but for the memory of the JSON tree.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "wire/agent_message.h"

enum {
    ACME_URL_MAX = 1024,  /* bytes with the NUL; CAs use a hundred */
    ACME_NONCE_MAX = 256, /* likewise */
    ACME_PROBLEM_TYPE_MAX = 64,
    ACME_AUTHZ_MAX = 4, /* we name one domain and expect one */
};

struct acme_url {
    char text[ACME_URL_MAX]; /* "" if absent */
};

struct acme_directory {
    struct acme_url new_nonce;
    struct acme_url new_account;
    struct acme_url new_order;
    struct acme_url renewal_info; /* absent if the CA offers none */
};

enum acme_status {
    ACME_PENDING,
    ACME_READY,
    ACME_PROCESSING,
    ACME_VALID,
    ACME_INVALID, /* and revoked, deactivated, expired, or anything else */
};

struct acme_problem {
    char type[ACME_PROBLEM_TYPE_MAX]; /* after "urn:ietf:params:acme:error:";
                                         "" if it is another */
    char text[AGENT_TEXT_MAX + 1];    /* the CA's own words; UTF-8 */
};

struct acme_order {
    enum acme_status status;
    size_t authz_count;
    struct acme_url authz[ACME_AUTHZ_MAX];
    struct acme_url finalize;
    struct acme_url certificate; /* absent until it is valid */
    struct acme_problem problem; /* type and text "" if there is none */
};

struct acme_challenge {
    struct acme_url url;             /* absent if not offered */
    char token[AGENT_TOKEN_MAX + 1]; /* base64url characters only */
};

struct acme_authz {
    enum acme_status status;
    char domain[AGENT_NAME_MAX + 1];
    struct acme_challenge http;  /* http-01 */
    struct acme_challenge tls;   /* tls-alpn-01 */
    struct acme_problem problem; /* of the first challenge that has one */
};

struct acme_window {
    int64_t start_s;
    int64_t end_s;                /* after start_s */
    char why[AGENT_TEXT_MAX + 1]; /* explanationURL; "" if absent */
};

/* True if the text is an https URL that we would send to and log. */
NONNULL bool document_is_url(const char *text);

/* False: it is not such a document; *ret is then unspecified. */
MUST_CHECK NONNULL bool document_directory(
    struct span body, struct acme_directory *ret);
MUST_CHECK NONNULL bool document_order(
    struct span body, struct acme_order *ret);
MUST_CHECK NONNULL bool document_authz(
    struct span body, struct acme_authz *ret);
MUST_CHECK NONNULL bool document_window(
    struct span body, struct acme_window *ret);

/* RFC 7807; false if it is none, and then ret says nothing: both "". */
NONNULL bool document_problem(struct span body, struct acme_problem *ret);
