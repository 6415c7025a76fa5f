#include "push/jwt.h"

#include <inttypes.h>

#include "base/base64url.h"
#include "base/json_text.h"
#include "outward/crypto.h"

#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"

enum {
    SIGNATURE_MAX = 2048, /* bytes; RSA of 16384 bits */
    PART_MAX = 3072,      /* bytes of a part before base64 */
};

/* ,"name":"value" */
static void add_member(struct text *t, const char *name, const char *value)
{
    text_addf(t, ",\"%s\":", name);
    json_text_add(t, span_str(value));
}

static bool add_header(const struct credentials *account, struct text *ret)
{
    char buf[PART_MAX];
    struct text t = text_over(buf, sizeof(buf));

    text_add_str(&t, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (account->key_id[0] != '\0')
        add_member(&t, "kid", account->key_id);
    text_add_char(&t, '}');
    base64url_add(ret, span_of(buf, t.len));
    return !t.cut && !ret->cut;
}

static bool add_claims(
    const struct credentials *account, int64_t now_s, struct text *ret)
{
    char buf[PART_MAX];
    struct text t = text_over(buf, sizeof(buf));

    text_addf(&t, "{\"iat\":%" PRId64 ",\"exp\":%" PRId64, now_s,
        now_s + JWT_LIFETIME_S);
    add_member(&t, "iss", account->email);
    add_member(&t, "scope", SCOPE);
    add_member(&t, "aud", account->token_uri);
    text_add_char(&t, '}');
    base64url_add(ret, span_of(buf, t.len));
    return !t.cut && !ret->cut;
}

/* PKCS#1 v1.5, which is what a key for RSA signs by. */
static bool add_signature(EVP_PKEY *key, struct span in, struct text *ret)
{
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    uint8_t signature[SIGNATURE_MAX];
    size_t len = sizeof(signature);

    if (ctx == NULL || EVP_PKEY_get_size(key) > SIGNATURE_MAX ||
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(ctx, signature, &len, in.ptr, in.len) != 1)
        return false;
    base64url_add(ret, span_of(signature, len));
    return !ret->cut;
}

bool jwt_sign(
    const struct credentials *account, int64_t now_s, struct text *ret)
{
    size_t start = ret->len;
    size_t end = 0;

    if (!add_header(account, ret))
        return false;
    text_add_char(ret, '.');
    if (!add_claims(account, now_s, ret))
        return false;
    end = ret->len;
    text_add_char(ret, '.');
    return add_signature(
        account->key, span_of(ret->ptr + start, end - start), ret);
}
