/*
 * pem_block: the blocks of a PEM text, RFC 7468, strictly.
 *
 * Between blocks there is white space only, so that a text that was cut, or
 * that something else was written into, is noticed.  What is inside a block
 * is for others to decode.  Pure; spans point into the input.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct pem_block {
    struct span label; /* "CERTIFICATE", "EC PRIVATE KEY", ... */
    struct span text;  /* from "-----BEGIN" to the last dash */
};

enum pem_step {
    PEM_BLOCK,     /* *ret holds the next block */
    PEM_END,       /* nothing but white space was left */
    PEM_MALFORMED, /* a block is cut, or something else stands there */
};

/* Take the next block off *in, which moves behind it on PEM_BLOCK. */
MUST_CHECK NONNULL enum pem_step pem_block_next(
    struct span *in, struct pem_block *ret);

/* Is it a private key of any form: EC, RSA or PKCS#8, not encrypted? */
NONNULL bool pem_block_is_key(const struct pem_block *block);
NONNULL bool pem_block_is_certificate(const struct pem_block *block);
