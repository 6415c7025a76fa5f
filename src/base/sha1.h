/*
 * sha1: SHA-1, FIPS 180-4 section 6.1.
 *
 * For the WebSocket handshake alone (RFC 6455 section 4.2.2), which proves
 * nothing by it; no security rests on it.  Ours since a library's allocates
 * memory for 60 bytes, and a connection must not fail for that.  Pure.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { SHA1_LEN = 20 }; /* bytes */

void sha1(struct span in, uint8_t ret[SHA1_LEN]);
