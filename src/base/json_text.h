/*
 * json_text: JSON strings, RFC 8259 section 7, written to a text.
 *
 * Controls and what is not printable (base/utf8.h) become \uXXXX, a byte that
 * is no UTF-8 becomes \ufffd: the result is valid JSON whatever the bytes
 * are, and safe to look at in a terminal.
 */
#pragma once

#include "base/text.h"

/*
 * Append the value as a string, quotes included.  What does not fit is cut
 * (t->cut) between two characters, and the string is closed; without room for
 * the quotes nothing is appended.
 */
NONNULL void json_text_add(struct text *t, struct span value);
