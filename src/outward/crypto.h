/* crypto: scope-bound ownership for what the cryptographic library makes. */
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/attr.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot have them */
#define CRYPTO_OWNER(type, release)                                            \
    static inline void crypto_own_##type(type **p)                             \
    {                                                                          \
        release(*p);                                                           \
    }                                                                          \
    _Static_assert(1, "a semicolon follows")
/* NOLINTEND(bugprone-macro-parentheses) */

CRYPTO_OWNER(ASN1_OBJECT, ASN1_OBJECT_free);
CRYPTO_OWNER(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free);
CRYPTO_OWNER(BIO, BIO_free_all);
CRYPTO_OWNER(ECDSA_SIG, ECDSA_SIG_free);
CRYPTO_OWNER(EVP_MD_CTX, EVP_MD_CTX_free);
CRYPTO_OWNER(EVP_PKEY, EVP_PKEY_free);
CRYPTO_OWNER(X509, X509_free);
CRYPTO_OWNER(X509_EXTENSION, X509_EXTENSION_free);
CRYPTO_OWNER(X509_REQ, X509_REQ_free);

/* OWNED(EVP_PKEY) *key = ...: released on every way out of the scope. */
#define OWNED(type) CLEANUP(crypto_own_##type) type
