/* made: keys and certificates made for a test. */
#pragma once

#include <openssl/types.h>

#include "acme/pem.h"

struct made {
    const char *type; /* "EC", "RSA" */
    const char *domain;
    int64_t from_s;
    int64_t to_s;
    const uint8_t *serial; /* big endian; NULL: 1 */
    size_t serial_len;
    const uint8_t *issuer_id; /* authority key identifier; NULL: none */
    size_t issuer_id_len;
};

EVP_PKEY *made_key(const char *type);

/* Key and a chain of two, as the certificate directory has them; the key in
 * its traditional form. */
struct pem made_certificate(const struct made *what);

/* The chain alone, for a key. */
struct pem made_chain(EVP_PKEY *key, const struct made *what);
