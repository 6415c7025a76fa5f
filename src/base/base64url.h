/*
 * base64url: the URL-safe alphabet without padding, RFC 4648 section 5, as
 * RFC 7515 section 2 has it.
 */
#pragma once

#include "base/text.h"

/* Characters for len bytes; len is a size in memory. */
#define BASE64URL_LEN(len) (((len)*4 + 2) / 3)

/* Append the encoded bytes; what does not fit is cut as text cuts. */
NONNULL void base64url_add(struct text *t, struct span in);
