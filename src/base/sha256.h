/*
 * sha256: SHA-256, FIPS 180-4 section 6.2.
 *
 * For short texts on a worker's thread; ours since a library's allocates
 * memory for them, and a frame must not wait for that.  Pure.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { SHA256_LEN = 32 }; /* bytes */

void sha256(struct span in, uint8_t ret[SHA256_LEN]);
