/*
 * What every fuzz target shares.  FUZZ_CHECK stops the run: it is not an
 * assertion that a build could leave out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                  \
    do {                                                                       \
        if (!(condition))                                                      \
            abort();                                                           \
    } while (0)

/* Does part lie within whole? */
static inline int fuzz_is_inside(struct span part, struct span whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr &&
                                part.ptr + part.len <= whole.ptr + whole.len);
}
