#include "pem_text.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static char *text_of(BIO *bio)
{
    char *data = NULL;
    size_t len = (size_t)BIO_get_mem_data(bio, &data);
    char *copy = calloc(1, len + 1);

    assert_non_null(copy);
    memcpy(copy, data, len);
    BIO_free(bio);
    return copy;
}

struct pem_text pem_text_new(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *key_out = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    char alt[128];
    X509_EXTENSION *san = NULL;

    assert_int_equal(X509_set_version(x, 2), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 86400));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    (void)snprintf(alt, sizeof(alt), "DNS:%s", name);
    san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
    assert_int_equal(X509_add_ext(x, san, -1), 1);
    X509_EXTENSION_free(san);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(
        PEM_write_bio_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(PEM_write_bio_X509(out, x), 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return (struct pem_text){text_of(key_out), text_of(out)};
}

void pem_text_free(struct pem_text *text)
{
    free(text->key);
    free(text->chain);
}

struct tls_pem pem_text_of(const struct pem_text *text)
{
    return (struct tls_pem){
        .key = span_str(text->key), .chain = span_str(text->chain)};
}
