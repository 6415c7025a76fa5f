#include "push/credentials.h"

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

static EVP_PKEY *read_pem(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = NULL;

    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

/* Base64 without armour: PKCS#8, then PKCS#1, as d2i tells them apart. */
static EVP_PKEY *read_bare(const char *text)
{
    BIO *base64 = BIO_new(BIO_f_base64());
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = NULL;

    if (base64 != NULL && bio != NULL) {
        if (strchr(text, '\n') == NULL)
            BIO_set_flags(base64, BIO_FLAGS_BASE64_NO_NL);
        bio = BIO_push(base64, bio);
        base64 = NULL;
        key = d2i_PrivateKey_bio(bio, NULL);
    }
    BIO_free(base64);
    BIO_free_all(bio);
    return key;
}

static bool is_rsa_key(const char *text)
{
    EVP_PKEY *key = read_pem(text);
    bool is_rsa = false;

    if (key == NULL)
        key = read_bare(text);
    is_rsa = key != NULL && EVP_PKEY_is_a(key, "RSA") == 1;
    EVP_PKEY_free(key);
    return is_rsa;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

const char *credentials_check(const char *document)
{
    json_t *object = json_loads(document, 0, NULL);
    bool valid = json_is_object(object) &&
                 strcmp(text_of(object, "type"), "service_account") == 0 &&
                 text_of(object, "client_email")[0] != '\0' &&
                 is_rsa_key(text_of(object, "private_key"));

    json_decref(object);
    return valid ? NULL : CREDENTIALS_REFUSED;
}
