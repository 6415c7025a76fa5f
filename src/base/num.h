/*
 * num: checked arithmetic and checked number parsing for sizes and values
 * that somebody outside this process chose.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* True if a + b does not fit; *ret is written only when it does. */
MUST_CHECK static inline bool num_add_overflows(size_t a, size_t b, size_t *ret)
{
    size_t sum = 0;

    if (__builtin_add_overflow(a, b, &sum))
        return true;
    *ret = sum;
    return false;
}

/*
 * Parse a decimal number: one or more ASCII digits and nothing else, at most
 * max.  *ret is written on success only.
 */
MUST_CHECK NONNULL bool num_parse_u64(
    struct span text, uint64_t max, uint64_t *ret);

/* The same for hexadecimal digits without a prefix. */
MUST_CHECK NONNULL bool num_parse_hex64(struct span text, uint64_t *ret);
