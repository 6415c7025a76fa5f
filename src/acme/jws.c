#include "acme/jws.h"

#include <openssl/core_names.h>
#include <openssl/sha.h>

#include "base/base64url.h"
#include "outward/crypto.h"

enum {
    COORDINATE_LEN = 32, /* bytes of P-256 */
    SIGNATURE_LEN = 64,  /* r and s, RFC 7518 section 3.4 */
    HEAD_MAX = 3072,     /* bytes; two URLs, a nonce, a key */
    DER_MAX = 80,        /* an ECDSA signature of P-256 */
    JWK_MAX = 160,
};

/* RFC 7638 section 3: the required members in their order, no white space. */
static bool write_jwk(EVP_PKEY *key, struct text *t)
{
    static const char *const names[] = {
        OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y};
    static const char *const prefixes[] = {"\"x\":\"", ",\"y\":\""};

    text_add_str(t, "{\"crv\":\"P-256\",\"kty\":\"EC\",");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        uint8_t bytes[COORDINATE_LEN];
        BIGNUM *n = NULL;
        bool is_good = EVP_PKEY_get_bn_param(key, names[i], &n) == 1 &&
                       BN_bn2binpad(n, bytes, sizeof(bytes)) == sizeof(bytes);

        BN_free(n);
        if (!is_good)
            return false;
        text_add_str(t, prefixes[i]);
        base64url_add(t, span_of(bytes, sizeof(bytes)));
        text_add_char(t, '"');
    }
    text_add_char(t, '}');
    return !t->cut;
}

bool jws_thumbprint(EVP_PKEY *key, char ret[JWS_THUMBPRINT_LEN + 1])
{
    char jwk[JWK_MAX];
    struct text t = text_over(jwk, sizeof(jwk));
    struct text out = text_over(ret, JWS_THUMBPRINT_LEN + 1);
    uint8_t digest[SHA256_DIGEST_LENGTH];

    if (!write_jwk(key, &t))
        return false;
    (void)SHA256((const uint8_t *)jwk, t.len, digest);
    base64url_add(&out, span_of(digest, sizeof(digest)));
    return true;
}

/* A signature as two numbers of equal length instead of as DER. */
static bool flatten(const uint8_t *der, size_t len, uint8_t ret[SIGNATURE_LEN])
{
    const uint8_t *at = der;
    OWNED(ECDSA_SIG) *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);

    return sig != NULL &&
           BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, COORDINATE_LEN) ==
               COORDINATE_LEN &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + COORDINATE_LEN,
               COORDINATE_LEN) == COORDINATE_LEN;
}

static bool sign(EVP_PKEY *key, struct span in, uint8_t ret[SIGNATURE_LEN])
{
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    uint8_t der[DER_MAX];
    size_t len = sizeof(der);

    return ctx != NULL &&
           EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
           EVP_DigestSign(ctx, der, &len, in.ptr, in.len) == 1 &&
           flatten(der, len, ret);
}

/* True if the text may stand between quotes as it is. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

/* The protected header, RFC 8555 section 6.2. */
static bool write_head(
    EVP_PKEY *key, const struct jws_head *head, struct text *t)
{
    if (!is_plain(head->url) || !is_plain(head->nonce))
        return false;
    text_add_str(t, "{\"alg\":\"ES256\",");
    if (head->kid == NULL) {
        text_add_str(t, "\"jwk\":");
        if (!write_jwk(key, t))
            return false;
    } else {
        if (!is_plain(head->kid))
            return false;
        text_addf(t, "\"kid\":\"%s\"", head->kid);
    }
    text_addf(t, ",\"nonce\":\"%s\",\"url\":\"%s\"}", head->nonce, head->url);
    return !t->cut;
}

/*
 * The signing input is base64url(head) "." base64url(payload); the document
 * has the same two texts, with other characters around them.
 */
bool jws_sign(EVP_PKEY *key, const struct jws_head *head, struct span payload,
    struct text *ret)
{
    char buf[HEAD_MAX];
    struct text plain = text_over(buf, sizeof(buf));
    uint8_t signature[SIGNATURE_LEN];
    size_t start = ret->len;

    if (!write_head(key, head, &plain))
        return false;
    base64url_add(ret, span_of(buf, plain.len));
    text_add_char(ret, '.');
    base64url_add(ret, payload);
    if (ret->cut ||
        !sign(key, span_of(ret->ptr + start, ret->len - start), signature))
        return false;
    ret->len = start;
    ret->ptr[start] = '\0';
    text_add_str(ret, "{\"protected\":\"");
    base64url_add(ret, span_of(buf, plain.len));
    text_add_str(ret, "\",\"payload\":\"");
    base64url_add(ret, payload);
    text_add_str(ret, "\",\"signature\":\"");
    base64url_add(ret, span_of(signature, sizeof(signature)));
    text_add_str(ret, "\"}");
    return !ret->cut;
}
