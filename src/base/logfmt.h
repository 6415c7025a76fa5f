/*
 * logfmt: `key=value` pairs on one line, values escaped.
 *
 * A value is quoted when it is empty or holds a space, a quote, '=', a
 * control character or anything that is not printable UTF-8; inside quotes
 * those are written as \n, \r, \t, \", \\ or \xNN.  So no value can forge
 * a line, a key or a terminal escape.
 */
#pragma once

#include "base/text.h"

/* Append " key=value"; no leading space at the start of a line. */
NONNULL void logfmt_add(struct text *t, const char *key, struct span value);

/* The same for a value that stands for itself: a number or a constant. */
NONNULL void logfmt_add_raw(struct text *t, const char *key, const char *value);

/* Append the value alone, quoted if it must be.  What does not fit is cut
 * between two characters, and a quote is closed. */
NONNULL void logfmt_value(struct text *t, struct span value);
