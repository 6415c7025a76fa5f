/* utf8: well-formed UTF-8, RFC 3629.  Pure. */
#pragma once

#include "base/attr.h"
#include "base/span.h"

/* Bytes of the well-formed character at the start of in, 0 if there is none;
 * code gets its code point. */
size_t utf8_next(struct span in, uint32_t *code);

bool utf8_valid(struct span in);

/* The same, a character at a time; utf8_valid() is that or, where the
 * processor can, the other. */
bool utf8_valid_scalar(struct span in);
#ifdef __x86_64__
bool utf8_valid_avx2(struct span in); /* only where cpu_has_avx2() */
#endif

/* The largest prefix length <= max that does not cut a character of valid
 * UTF-8 in two. */
size_t utf8_floor(struct span in, size_t max);

/* Is the character seen as itself?  Not so: controls, the soft hyphen, and
 * what changes a line's direction or is not seen; all of them are below
 * U+10000. */
bool utf8_code_is_printable(uint32_t code);

/* Bytes of the character at the start of in if it is well-formed and
 * printable; 0 if not. */
size_t utf8_printable(struct span in);
