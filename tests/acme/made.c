#include "made.h"

#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "outward/crypto.h"

static void must(bool is_done)
{
    if (!is_done)
        abort();
}

EVP_PKEY *made_key(const char *type)
{
    EVP_PKEY *key =
        strcmp(type, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(type);

    must(key != NULL);
    return key;
}

static void add_names(X509 *cert, const char *domain)
{
    char value[300];
    X509_EXTENSION *extension = NULL;

    must(text_format(value, sizeof(value), "DNS:%s", domain));
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
    must(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_issuer_id(X509 *cert, const struct made *what)
{
    AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();

    must(id != NULL);
    id->keyid = ASN1_OCTET_STRING_new();
    must(ASN1_OCTET_STRING_set(
             id->keyid, what->issuer_id, (int)what->issuer_id_len) == 1);
    must(X509_add1_ext_i2d(cert, NID_authority_key_identifier, id, 0, 0) == 1);
    AUTHORITY_KEYID_free(id);
}

static void set_serial(X509 *cert, const struct made *what)
{
    BIGNUM *serial = what->serial == NULL
                         ? BN_bin2bn((const uint8_t *)"\x01", 1, NULL)
                         : BN_bin2bn(what->serial, (int)what->serial_len, NULL);

    must(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL);
    BN_free(serial);
}

static struct pem certificate(EVP_PKEY *key, const struct made *what)
{
    X509 *cert = X509_new();
    struct pem pem = {.text = NULL};

    must(cert != NULL && X509_set_version(cert, 2) == 1);
    set_serial(cert, what);
    must(ASN1_TIME_set(X509_getm_notBefore(cert), what->from_s) != NULL);
    must(ASN1_TIME_set(X509_getm_notAfter(cert), what->to_s) != NULL);
    add_names(cert, what->domain);
    if (what->issuer_id != NULL)
        add_issuer_id(cert, what);
    must(X509_set_pubkey(cert, key) == 1);
    must(X509_sign(cert, key, EVP_sha256()) > 0);
    must(pem_write_certificate(cert, &pem));
    X509_free(cert);
    return pem;
}

struct pem made_chain(EVP_PKEY *key, const struct made *what)
{
    EVP_PKEY *issuer_key = made_key("P-256");
    struct made issuer = {
        .domain = "issuer.example", .from_s = what->from_s, .to_s = what->to_s};
    struct pem leaf = certificate(key, what);
    struct pem above = certificate(issuer_key, &issuer);
    struct pem chain = {.text = NULL};

    must(pem_join(pem_span(&leaf), pem_span(&above), &chain));
    pem_done(&leaf);
    pem_done(&above);
    EVP_PKEY_free(issuer_key);
    return chain;
}

struct pem made_certificate(const struct made *what)
{
    EVP_PKEY *key = made_key(what->type == NULL ? "P-256" : what->type);
    struct pem key_pem = {.text = NULL};
    struct pem chain = made_chain(key, what);
    struct pem whole = {.text = NULL};

    must(pem_write_key(key, &key_pem));
    must(pem_join(pem_span(&key_pem), pem_span(&chain), &whole));
    pem_done(&key_pem);
    pem_done(&chain);
    EVP_PKEY_free(key);
    return whole;
}
