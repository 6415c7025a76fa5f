#include "acme/request.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/text.h"
#include "outward/crypto.h"

/* id-pe-acmeIdentifier, RFC 8737 section 6.1 */
static const char acme_identifier[] = "1.3.6.1.5.5.7.1.31";

enum {
    CHALLENGE_BEFORE_S = 3600, /* for a CA whose clock is behind */
    CHALLENGE_AFTER_S = 86400,
    SERIAL_BITS = 127,
};

static X509_EXTENSION *alternative_name(const char *domain)
{
    char value[300];

    if (!text_format(value, sizeof(value), "DNS:%s", domain))
        return NULL;
    return X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
}

static bool add_request_name(X509_REQ *request, const char *domain)
{
    OWNED(X509_EXTENSION) *name = alternative_name(domain);
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    bool done = name != NULL && list != NULL &&
                sk_X509_EXTENSION_push(list, name) > 0 &&
                X509_REQ_add_extensions(request, list) == 1;

    sk_X509_EXTENSION_free(list);
    return done;
}

size_t request_write(
    EVP_PKEY *key, const char *domain, uint8_t ret[REQUEST_DER_MAX])
{
    OWNED(X509_REQ) *request = X509_REQ_new();
    uint8_t *at = ret;
    int len = 0;

    if (request == NULL || X509_REQ_set_version(request, 0) != 1 ||
        X509_REQ_set_pubkey(request, key) != 1 ||
        !add_request_name(request, domain) ||
        X509_REQ_sign(request, key, EVP_sha256()) <= 0)
        return 0;
    len = i2d_X509_REQ(request, NULL);
    if (len <= 0 || len > REQUEST_DER_MAX)
        return 0;
    return (size_t)i2d_X509_REQ(request, &at);
}

/* The digest of the key authorization, as the extension carries it. */
static bool add_acme_identifier(X509 *cert, const char *key_auth)
{
    uint8_t value[2 + SHA256_DIGEST_LENGTH] = {
        V_ASN1_OCTET_STRING, SHA256_DIGEST_LENGTH};
    OWNED(ASN1_OBJECT) *id = OBJ_txt2obj(acme_identifier, 1);
    OWNED(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();

    (void)SHA256((const uint8_t *)key_auth, strlen(key_auth), value + 2);
    if (id == NULL || octets == NULL ||
        ASN1_OCTET_STRING_set(octets, value, sizeof(value)) != 1)
        return false;

    OWNED(X509_EXTENSION) *extension =
        X509_EXTENSION_create_by_OBJ(NULL, id, 1, octets);

    return extension != NULL && X509_add_ext(cert, extension, -1) == 1;
}

static bool set_serial(X509 *cert)
{
    BIGNUM *serial = BN_new();
    bool done = serial != NULL &&
                BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE,
                    BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;

    BN_free(serial);
    return done;
}

static bool set_names(X509 *cert, const char *domain)
{
    static const char common_name[] = "ACME challenge";
    X509_NAME *subject = X509_get_subject_name(cert);
    OWNED(X509_EXTENSION) *name = alternative_name(domain);

    return name != NULL &&
           X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
               (const uint8_t *)common_name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 &&
           X509_add_ext(cert, name, -1) == 1;
}

static bool set_times(X509 *cert)
{
    return X509_gmtime_adj(X509_getm_notBefore(cert), -CHALLENGE_BEFORE_S) !=
               NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), CHALLENGE_AFTER_S) != NULL;
}

bool request_challenge_certificate(const char *domain, const char *key_auth,
    struct pem *ret_key, struct pem *ret_cert)
{
    OWNED(EVP_PKEY) *key = pem_new_key();
    OWNED(X509) *cert = X509_new();
    OWNED_PEM key_pem = {.text = NULL};

    if (key == NULL || cert == NULL || X509_set_version(cert, 2) != 1 ||
        !set_serial(cert) || !set_names(cert, domain) || !set_times(cert) ||
        !add_acme_identifier(cert, key_auth) ||
        X509_set_pubkey(cert, key) != 1 ||
        X509_sign(cert, key, EVP_sha256()) <= 0 ||
        !pem_write_key(key, &key_pem) || !pem_write_certificate(cert, ret_cert))
        return false;
    *ret_key = pem_take(&key_pem);
    return true;
}
