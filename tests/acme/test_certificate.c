/* What is judged, and what is signed with a certificate's own key. */
#include "acme/certificate.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/request.h"
#include "cmocka_all.h"
#include "made.h"
#include "outward/crypto.h"

#define T0     1800000000LL
#define DOMAIN "relay.example.com"

static const struct made usual = {
    .domain = DOMAIN, .from_s = T0, .to_s = T0 + 7776000};

static enum certificate_status judge(struct span text, struct certificate *ret)
{
    return certificate_judge(text, DOMAIN, T0 + 5, ret);
}

static void good(void **state)
{
    static const char *const types[] = {"P-256", "P-384", "RSA"};
    static const char *const domains[] = {
        DOMAIN, "*.example.com", "RELAY.example.com"};
    struct certificate c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct made what = usual;

        what.type = types[i];
        what.domain = domains[i];

        OWNED_PEM pem = made_certificate(&what);

        assert_int_equal(judge(pem_span(&pem), &c), CERTIFICATE_OK);
        assert_true(c.not_before_s == T0 && c.not_after_s == T0 + 7776000);
        assert_int_equal(c.key.len + c.chain.len, pem.len);
        assert_ptr_equal(c.key.ptr, pem.text);
        assert_memory_equal(c.chain.ptr, "-----BEGIN CERTIFICATE-----", 27);
        assert_string_equal(c.ari_id, "");
    }
}

/* The other form in which an existing relay may have written a key. */
static void pkcs8(void **state)
{
    OWNED(EVP_PKEY) *key = made_key("P-256");
    OWNED(BIO) *out = BIO_new(BIO_s_mem());
    OWNED_PEM chain = made_chain(key, &usual);
    OWNED_PEM whole = {.text = NULL};
    struct certificate c;
    char *data = NULL;

    (void)state;
    assert_int_equal(
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);

    long len = BIO_get_mem_data(out, &data);

    assert_true(strncmp(data, "-----BEGIN PRIVATE KEY-----", 27) == 0);
    assert_true(pem_join(span_of(data, (size_t)len), pem_span(&chain), &whole));
    assert_int_equal(judge(pem_span(&whole), &c), CERTIFICATE_OK);
}

static void times(void **state)
{
    const struct {
        int64_t now;
        enum certificate_status want;
    } cases[] = {
        {T0 - 1, CERTIFICATE_EARLY},
        {T0, CERTIFICATE_OK},
        {T0 + 7776000, CERTIFICATE_OK},
        {T0 + 7776001, CERTIFICATE_EXPIRED},
    };
    OWNED_PEM pem = made_certificate(&usual);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct certificate c = {.not_after_s = 0};

        assert_int_equal(
            certificate_judge(pem_span(&pem), DOMAIN, cases[i].now, &c),
            cases[i].want);
        assert_true(c.not_after_s == T0 + 7776000);
    }
}

static void other_domain(void **state)
{
    static const char *const domains[] = {
        "example.com", "a.relay.example.com", "elay.example.com"};
    OWNED_PEM pem = made_certificate(&usual);
    struct certificate c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(domains); i++)
        assert_int_equal(certificate_judge(pem_span(&pem), domains[i], T0, &c),
            CERTIFICATE_OTHER_DOMAIN);
}

static enum certificate_status judge_joined(struct span a, struct span b)
{
    OWNED_PEM whole = {.text = NULL};
    struct certificate c;

    assert_true(pem_join(a, b, &whole));
    return judge(pem_span(&whole), &c);
}

static void not_whole(void **state)
{
    static const struct span garbage = {
        (const uint8_t *)"-----BEGIN CERTIFICATE-----\nAAAA\n"
                         "-----END CERTIFICATE-----\n",
        58};
    OWNED_PEM pem = made_certificate(&usual);
    OWNED_PEM other = made_certificate(&usual);
    struct certificate c;
    struct certificate d;

    (void)state;
    assert_int_equal(judge(pem_span(&pem), &c), CERTIFICATE_OK);
    assert_int_equal(judge(pem_span(&other), &d), CERTIFICATE_OK);
    assert_int_equal(judge(LIT(""), &d), CERTIFICATE_NO_KEY);
    assert_int_equal(judge(c.chain, &d), CERTIFICATE_NO_KEY);
    assert_int_equal(judge(c.key, &d), CERTIFICATE_NO_CHAIN);
    assert_int_equal(judge(LIT("\0\0\0\0"), &d), CERTIFICATE_TORN);
    assert_int_equal(judge(LIT("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                               "-----END PRIVATE KEY-----\n"),
                         &d),
        CERTIFICATE_BAD_KEY);
    assert_int_equal(judge_joined(c.key, c.key), CERTIFICATE_BAD_CHAIN);
    assert_int_equal(judge_joined(c.key, garbage), CERTIFICATE_BAD_CHAIN);
    assert_int_equal(
        judge_joined(pem_span(&pem), garbage), CERTIFICATE_BAD_CHAIN);
    assert_int_equal(
        judge_joined(pem_span(&pem), LIT("# note\n")), CERTIFICATE_TORN);
    assert_int_equal(judge(pem_span(&other), &d), CERTIFICATE_OK);
    assert_int_equal(judge_joined(c.key, d.chain), CERTIFICATE_OTHER_KEY);
}

/* Cut anywhere: never taken for whole but where a certificate ends. */
static void any_cut(void **state)
{
    OWNED_PEM pem = made_certificate(&usual);
    size_t taken = 0;
    struct certificate c;

    (void)state;
    for (size_t len = 0; len < pem.len; len++)
        taken += judge(span_of(pem.text, len), &c) == CERTIFICATE_OK;
    /* after the leaf, with its line end and without; the last line end */
    assert_int_equal(taken, 3);
}

static void too_many(void **state)
{
    OWNED_PEM pem = made_certificate(&usual);
    struct certificate c;

    (void)state;
    assert_int_equal(judge(pem_span(&pem), &c), CERTIFICATE_OK);
    for (size_t count = 2; count < 8; count *= 2) {
        struct pem longer = {.text = NULL};

        assert_true(pem_join(pem_span(&pem), c.chain, &longer));
        pem_done(&pem);
        pem = longer;
        assert_int_equal(judge(pem_span(&pem), &c), CERTIFICATE_OK);
    }
    /* eight are well, sixteen are not */
    assert_int_equal(
        judge_joined(pem_span(&pem), c.chain), CERTIFICATE_TOO_MANY);
}

/* The example of RFC 9773 section 4.1. */
static void ari_id(void **state)
{
    static const uint8_t serial[] = {
        0x00, 0x87, 0x65, 0x43, 0x21}; /* the top bit is set */
    static const uint8_t issuer[] = {0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40,
        0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8,
        0xd4};
    struct made what = usual;
    struct certificate c;

    (void)state;
    what.serial = serial;
    what.serial_len = sizeof(serial);
    what.issuer_id = issuer;
    what.issuer_id_len = sizeof(issuer);

    OWNED_PEM pem = made_certificate(&what);

    assert_int_equal(judge(pem_span(&pem), &c), CERTIFICATE_OK);
    assert_string_equal(c.ari_id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
}

static void request(void **state)
{
    OWNED(EVP_PKEY) *key = pem_new_key();
    uint8_t der[REQUEST_DER_MAX];
    const uint8_t *at = der;
    size_t len = request_write(key, DOMAIN, der);
    char longest[254];

    (void)state;
    assert_true(len > 0);

    OWNED(X509_REQ) *parsed = d2i_X509_REQ(NULL, &at, (long)len);

    assert_non_null(parsed);
    assert_int_equal(X509_REQ_verify(parsed, key), 1);
    assert_int_equal(
        X509_NAME_entry_count(X509_REQ_get_subject_name(parsed)), 0);

    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(parsed);
    GENERAL_NAMES *names =
        X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);

    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    assert_int_equal(
        ASN1_STRING_length(sk_GENERAL_NAME_value(names, 0)->d.dNSName),
        strlen(DOMAIN));
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_true(request_write(key, longest, der) > 0);
}

/* RFC 8737 section 3: one name, and the digest in a critical extension. */
static void challenge_certificate(void **state)
{
    static const char key_auth[] = "token.thumbprint";
    OWNED_PEM key_pem = {.text = NULL};
    OWNED_PEM cert_pem = {.text = NULL};
    uint8_t want[2 + SHA256_DIGEST_LENGTH] = {4, SHA256_DIGEST_LENGTH};
    X509_EXTENSION *extension = NULL;
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);

    (void)state;
    assert_true(
        request_challenge_certificate(DOMAIN, key_auth, &key_pem, &cert_pem));

    OWNED(EVP_PKEY) *key = pem_read_key(pem_span(&key_pem));
    OWNED(X509) *cert = pem_read_certificate(pem_span(&cert_pem));

    assert_int_equal(X509_check_private_key(cert, key), 1);
    assert_int_equal(X509_check_host(cert, DOMAIN, 0,
                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL),
        1);
    extension = X509_get_ext(cert, X509_get_ext_by_OBJ(cert, id, -1));
    ASN1_OBJECT_free(id);
    assert_non_null(extension);
    assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
    (void)SHA256((const uint8_t *)key_auth, sizeof(key_auth) - 1, want + 2);

    const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);

    assert_span(
        span_of(ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data)),
        span_of(want, sizeof(want)));
    assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(cert)), -1);
    assert_int_equal(X509_cmp_current_time(X509_get0_notAfter(cert)), 1);
}

RUN_TESTS("certificate", cmocka_unit_test(good), cmocka_unit_test(pkcs8),
    cmocka_unit_test(times), cmocka_unit_test(other_domain),
    cmocka_unit_test(not_whole), cmocka_unit_test(any_cut),
    cmocka_unit_test(too_many), cmocka_unit_test(ari_id),
    cmocka_unit_test(request), cmocka_unit_test(challenge_certificate));
