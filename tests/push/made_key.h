/* made_key: an RSA key and its text, as the tests need it. */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static inline EVP_PKEY *made_key(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);

    assert_non_null(key);
    return key;
}

/* Its PKCS#8 PEM as the text of a JSON string: line ends as \n; encrypted by
 * the password unless that is NULL; the caller's to free. */
static inline char *made_key_json(EVP_PKEY *key, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    char *ret = NULL;
    size_t at = 0;
    long len = 0;

    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(bio, key,
            password == NULL ? NULL : EVP_aes_128_cbc(), password,
            password == NULL ? 0 : (int)strlen(password), NULL, NULL),
        1);
    len = BIO_get_mem_data(bio, &pem);
    ret = calloc(2, (size_t)len + 1);
    assert_non_null(ret);
    for (long i = 0; i < len; i++) {
        if (pem[i] == '\n') {
            ret[at++] = '\\';
            ret[at++] = 'n';
        } else {
            ret[at++] = pem[i];
        }
    }
    BIO_free(bio);
    return ret;
}
