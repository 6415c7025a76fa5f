/*
 * json_run: runs of plain characters in JSON strings, 16 to 128 bytes at a
 * time where the processor can.
 *
 * Pure.  All variants give the same results; json_run() takes the best.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

/*
 * Where the first byte of in from index at on stands that ends or breaks a
 * string: a quote, a backslash, a control character; in.len: none does.
 * *wide becomes true if a byte before it is above 0x7f, and is left alone if
 * not.  at is at most in.len.
 */
NONNULL size_t json_run(struct span in, size_t at, bool *wide);

/* One byte at a time. */
NONNULL size_t json_run_scalar(struct span in, size_t at, bool *wide);

#ifdef __x86_64__
NONNULL size_t json_run_sse2(struct span in, size_t at, bool *wide);
/* Only where cpu_has_avx2(). */
NONNULL size_t json_run_avx2(struct span in, size_t at, bool *wide);
#endif
