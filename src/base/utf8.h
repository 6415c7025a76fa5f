/* utf8: well-formed UTF-8, RFC 3629.  Pure. */
#pragma once

#include "base/attr.h"
#include "base/span.h"

/* Bytes of the well-formed character at the start of in, 0 if there is none;
 * code gets its code point. */
size_t utf8_next(struct span in, uint32_t *code);

bool utf8_valid(struct span in);

/* The largest prefix length <= max that does not cut a character of valid
 * UTF-8 in two. */
size_t utf8_floor(struct span in, size_t max);

/* Bytes of the character at the start of in if it is well-formed and can be
 * shown in a line of text: no control, nothing that turns the line's
 * direction, nothing unseen but a space.  0 if not. */
size_t utf8_printable(struct span in);
