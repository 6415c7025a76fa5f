/* utf8: well-formed UTF-8, RFC 3629.  Pure. */
#pragma once

#include "base/attr.h"
#include "base/span.h"

bool utf8_valid(struct span in);

/* The largest prefix length <= max that does not cut a character of valid
 * UTF-8 in two. */
size_t utf8_floor(struct span in, size_t max);
