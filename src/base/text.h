/*
 * text: bounded formatting into the caller's buffer.
 *
 * A text is always NUL-terminated.  What does not fit is cut and remembered:
 * the caller decides whether a cut text is an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

struct text {
    char *ptr;
    size_t len; /* bytes before the NUL */
    size_t cap; /* bytes of the buffer, at least 1 */
    bool cut;   /* something did not fit */
};

/* A text over buf of cap bytes; the buffer outlives it. */
NONNULL struct text text_over(char *buf, size_t cap);

NONNULL void text_add(struct text *t, struct span bytes);
NONNULL void text_add_str(struct text *t, const char *str);
NONNULL void text_add_char(struct text *t, char c);
PRINTF_LIKE(2, 3) NONNULL void text_addf(struct text *t, const char *fmt, ...);

/* Format into buf; true if all of it fitted. */
PRINTF_LIKE(3, 4)
NONNULL bool text_format(char *buf, size_t cap, const char *fmt, ...);
