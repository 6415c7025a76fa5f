#include "acme/jws.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "acme/pem.h"
#include "base/attr.h"
#include "cmocka_all.h"

/* The key of RFC 7515 appendix A.3.1, as PEM. */
static const char rfc_key[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49\n"
    "AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"
    "focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
    "-----END EC PRIVATE KEY-----\n";

static EVP_PKEY *key;

static int set_up(void **state)
{
    (void)state;
    key = pem_read_key(span_str(rfc_key));
    return key == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

/* Decode base64url into ret; its length. */
static size_t decode(struct span in, uint8_t *ret)
{
    uint32_t bits = 0;
    size_t len = 0;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < in.len; i++) {
        const char *at = memchr(alphabet, in.ptr[i], 64);

        assert_non_null(at);
        bits = bits << 6 | (uint32_t)(at - alphabet);
        if (i % 4 != 0)
            ret[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return len;
}

/* The text of a member of the flattened form. */
static struct span member(const char *document, const char *name)
{
    char quoted[32];
    const char *at = NULL;

    assert_true(text_format(quoted, sizeof(quoted), "\"%s\":\"", name));
    at = strstr(document, quoted);
    assert_non_null(at);
    at += strlen(quoted);
    return span_of(at, strcspn(at, "\""));
}

/* Does the signature hold over protected "." payload? */
static bool holds(const char *document)
{
    struct span head = member(document, "protected");
    struct span payload = member(document, "payload");
    uint8_t raw[128];
    char input[1200];
    uint8_t *der = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ECDSA_SIG *sig = ECDSA_SIG_new();
    struct text t = text_over(input, sizeof(input));
    int der_len = 0;
    bool result = false;

    assert_int_equal(decode(member(document, "signature"), raw), 64);
    assert_int_equal(ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL),
                         BN_bin2bn(raw + 32, 32, NULL)),
        1);
    der_len = i2d_ECDSA_SIG(sig, &der);
    text_add(&t, head);
    text_add_char(&t, '.');
    text_add(&t, payload);
    assert_int_equal(
        EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    result = EVP_DigestVerify(
                 ctx, der, (size_t)der_len, (const uint8_t *)input, t.len) == 1;
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return result;
}

static void thumbprint(void **state)
{
    char text[JWS_THUMBPRINT_LEN + 1];

    (void)state;
    assert_true(jws_thumbprint(key, text));
    /* sha256 of the canonical text of the public key, RFC 7638 */
    assert_string_equal(text, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

static void with_the_key(void **state)
{
    char document[1200];
    struct text t = text_over(document, sizeof(document));
    uint8_t head[1024];
    uint8_t payload[64];
    size_t len = 0;

    (void)state;
    assert_true(jws_sign(key,
        &(struct jws_head){.url = "https://ca/new", .nonce = "n-1"},
        LIT("{\"a\":1}"), &t));
    len = decode(member(document, "protected"), head);
    assert_span(span_of(head, len),
        LIT("{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\","
            "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
            "\"nonce\":\"n-1\",\"url\":\"https://ca/new\"}"));
    len = decode(member(document, "payload"), payload);
    assert_span(span_of(payload, len), LIT("{\"a\":1}"));
    assert_true(holds(document));
    /* one bit of the payload */
    strstr(document, "\"payload\":\"")[12] ^= 1;
    assert_false(holds(document));
}

static void with_an_account(void **state)
{
    char document[1200];
    struct text t = text_over(document, sizeof(document));
    uint8_t head[1024];
    size_t len = 0;

    (void)state;
    assert_true(jws_sign(key,
        &(struct jws_head){
            .url = "https://ca/o", .nonce = "n", .kid = "https://ca/acct/1"},
        span_of(NULL, 0), &t));
    len = decode(member(document, "protected"), head);
    assert_span(span_of(head, len),
        LIT("{\"alg\":\"ES256\",\"kid\":\"https://ca/acct/1\",\"nonce\":\"n\","
            "\"url\":\"https://ca/o\"}"));
    assert_int_equal(member(document, "payload").len, 0);
    assert_true(holds(document));
}

/* A CA cannot write into the head; a request that does not fit is none. */
static void refused(void **state)
{
    const struct jws_head heads[] = {
        {.url = "https://ca/\"", .nonce = "n"},
        {.url = "https://ca/", .nonce = "n\\"},
        {.url = "https://ca/", .nonce = "n\n"},
        {.url = "https://ca/", .nonce = "n", .kid = "https://ca/ \"x"},
        {.url = "https://ca/\xc3\xa9", .nonce = "n"},
    };
    char document[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct text t = text_over(document, sizeof(document));

        assert_false(jws_sign(key, &heads[i], LIT("{}"), &t));
    }

    struct text t = text_over(document, sizeof(document));

    assert_false(jws_sign(key,
        &(struct jws_head){.url = "https://ca/", .nonce = "n"}, LIT("{}"), &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbprint),
        cmocka_unit_test(with_the_key),
        cmocka_unit_test(with_an_account),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests_name("jws", tests, set_up, tear_down);
}
