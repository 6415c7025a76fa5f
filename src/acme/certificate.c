#include "acme/certificate.h"

#include <assert.h>
#include <time.h>

#include "acme/pem.h"
#include "base/base64url.h"
#include "outward/crypto.h"
#include "wire/pem_block.h"

static const char *const texts[] = {
#define X(name, text) [name] = (text),
    CERTIFICATE_STATUS_LIST(X)
#undef X
};

static bool read_time(const ASN1_TIME *time, int64_t *ret)
{
    struct tm tm = {.tm_sec = 0};

    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1)
        return false;
    *ret = timegm(&tm);
    return true;
}

/* RFC 9773 section 4.1.  Without a key identifier there is no name. */
static void read_ari_id(X509 *leaf, struct certificate *c)
{
    const ASN1_OCTET_STRING *issuer = X509_get0_authority_key_id(leaf);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    struct text t = text_over(c->ari_id, sizeof(c->ari_id));
    /* the DER contents have a zero before a leading bit that is set */
    uint8_t bytes[64];
    uint8_t *at = bytes;
    int len = i2d_ASN1_INTEGER(serial, NULL);

    if (issuer == NULL || len < 3 || (size_t)len > sizeof(bytes))
        return;
    (void)i2d_ASN1_INTEGER(serial, &at);
    base64url_add(&t, span_of(ASN1_STRING_get0_data(issuer),
                          (size_t)ASN1_STRING_length(issuer)));
    text_add_char(&t, '.');
    base64url_add(&t, span_of(bytes + 2, (size_t)len - 2));
    if (t.cut)
        c->ari_id[0] = '\0';
}

static enum certificate_status judge_leaf(
    X509 *leaf, EVP_PKEY *key, const char *domain, struct certificate *c)
{
    if (X509_check_private_key(leaf, key) != 1)
        return CERTIFICATE_OTHER_KEY;
    if (X509_check_host(
            leaf, domain, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
        return CERTIFICATE_OTHER_DOMAIN;
    if (!read_time(X509_get0_notBefore(leaf), &c->not_before_s) ||
        !read_time(X509_get0_notAfter(leaf), &c->not_after_s))
        return CERTIFICATE_BAD_CHAIN;
    read_ari_id(leaf, c);
    return CERTIFICATE_OK;
}

/* The rest of the text is certificates; the first is the leaf's. */
static enum certificate_status judge_chain(
    struct span rest, struct span *ret_leaf, struct span *ret_chain)
{
    struct pem_block block = {.label = rest};
    enum pem_step step = PEM_END;
    const uint8_t *start = NULL;
    size_t count = 0;

    while ((step = pem_block_next(&rest, &block)) == PEM_BLOCK) {
        OWNED(X509) *cert = NULL;

        if (!pem_block_is_certificate(&block))
            return CERTIFICATE_BAD_CHAIN;
        cert = pem_read_certificate(block.text);
        if (cert == NULL)
            return CERTIFICATE_BAD_CHAIN;
        if (count++ == CERTIFICATE_COUNT_MAX)
            return CERTIFICATE_TOO_MANY;
        if (start == NULL) {
            start = block.text.ptr;
            *ret_leaf = block.text;
        }
    }
    if (step == PEM_MALFORMED)
        return CERTIFICATE_TORN;
    if (count == 0)
        return CERTIFICATE_NO_CHAIN;
    *ret_chain = span_of(start, (size_t)(rest.ptr + rest.len - start));
    return CERTIFICATE_OK;
}

enum certificate_status certificate_judge(struct span text, const char *domain,
    int64_t now_s, struct certificate *ret)
{
    struct certificate c = {.not_before_s = 0};
    struct pem_block first = {.label = text};
    struct span rest = text;
    struct span leaf_text = rest;
    enum pem_step step = pem_block_next(&rest, &first);
    enum certificate_status status = CERTIFICATE_OK;

    if (step == PEM_MALFORMED)
        return CERTIFICATE_TORN;
    if (step == PEM_END || !pem_block_is_key(&first))
        return CERTIFICATE_NO_KEY;

    OWNED(EVP_PKEY) *key = pem_read_key(first.text);

    if (key == NULL)
        return CERTIFICATE_BAD_KEY;
    status = judge_chain(rest, &leaf_text, &c.chain);
    if (status != CERTIFICATE_OK)
        return status;

    OWNED(X509) *leaf = pem_read_certificate(leaf_text);

    if (leaf == NULL)
        return CERTIFICATE_BAD_CHAIN;
    status = judge_leaf(leaf, key, domain, &c);
    if (status != CERTIFICATE_OK)
        return status;
    /* with the line end between the two */
    c.key = span_of(first.text.ptr, (size_t)(c.chain.ptr - first.text.ptr));
    *ret = c;
    if (now_s < c.not_before_s)
        return CERTIFICATE_EARLY;
    return now_s > c.not_after_s ? CERTIFICATE_EXPIRED : CERTIFICATE_OK;
}

const char *certificate_status_text(enum certificate_status status)
{
    assert(status < ARRAY_LEN(texts));
    return texts[status];
}
