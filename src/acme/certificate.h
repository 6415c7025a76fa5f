/*
 * certificate: is this text a private key and a certificate chain that can be
 * served for a domain?
 *
 * One judgement for what the certificate directory holds and for what a CA
 * has issued.  The text is a key's PEM followed by the chain's, leaf first.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum {
    CERTIFICATE_COUNT_MAX = 10, /* leaf and issuers; CAs send two to four */
    /* base64url(key identifier) "." base64url(serial), RFC 9773 section 4.1:
     * 64 and 20 bytes at most */
    CERTIFICATE_ARI_ID_MAX = 160,
};

/* name, text */
#define CERTIFICATE_STATUS_LIST(X)                                             \
    X(CERTIFICATE_OK, "valid")                                                 \
    X(CERTIFICATE_TORN, "a PEM block is cut, or something else stands there")  \
    X(CERTIFICATE_NO_KEY, "it does not start with a private key")              \
    X(CERTIFICATE_BAD_KEY, "its private key cannot be read")                   \
    X(CERTIFICATE_NO_CHAIN, "no certificate follows the private key")          \
    X(CERTIFICATE_BAD_CHAIN, "a certificate in it cannot be read")             \
    X(CERTIFICATE_TOO_MANY, "too many certificates")                           \
    X(CERTIFICATE_OTHER_KEY, "the private key is not the certificate's")       \
    X(CERTIFICATE_OTHER_DOMAIN, "the certificate is not for the domain")       \
    X(CERTIFICATE_EARLY, "the certificate is not valid yet")                   \
    X(CERTIFICATE_EXPIRED, "the certificate has expired")

enum certificate_status {
#define X(name, text) name,
    CERTIFICATE_STATUS_LIST(X)
#undef X
};

struct certificate {
    struct span key;   /* PEM of the key; points into the judged text */
    struct span chain; /* PEM of all certificates, likewise */
    int64_t not_before_s;
    int64_t not_after_s;
    char ari_id[CERTIFICATE_ARI_ID_MAX + 1]; /* "" if it has none */
};

/*
 * Judge the text for the domain at the time now_s.  *ret is written on
 * CERTIFICATE_OK, _EARLY and _EXPIRED; its spans live as long as the text.
 */
MUST_CHECK NONNULL enum certificate_status certificate_judge(struct span text,
    const char *domain, int64_t now_s, struct certificate *ret);

const char *certificate_status_text(enum certificate_status status);
