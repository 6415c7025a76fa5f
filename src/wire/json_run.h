/*
 * json_run: runs of plain characters in JSON strings, 16 to 128 bytes at a
 * time where the processor can.
 *
 * Pure.  All variants give the same results; json_run() takes the best.
 */
#pragma once

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/attr.h"
#include "base/span.h"

#ifdef __x86_64__
/*
 * A byte is special if, with bit 1 turned over, it is at most 0x20 (controls
 * stay among themselves, and the quote becomes 0x20), or a backslash.  The
 * top bit stays as it is.
 */
enum {
    JSON_TURNED = 0x02,
    JSON_TURNED_QUOTE = '"' ^ JSON_TURNED,
    JSON_TURNED_BACKSLASH = '\\' ^ JSON_TURNED,
};

/* What a block of bytes says, as one bit a byte. */
struct json_block {
    uint32_t special;
    uint32_t wide;
};

/* True: the run ends in that block; *at is there. */
static inline bool json_block_ends(struct json_block b, size_t *at, bool *wide)
{
    /* Only what stands before the special byte counts. */
    if (b.wide != 0 && (b.wide & ((b.special & (0U - b.special)) - 1)) != 0)
        *wide = true;
    if (b.special == 0)
        return false;
    *at += (size_t)__builtin_ctz(b.special);
    return true;
}

static inline struct json_block json_block_16(const uint8_t *from)
{
    __m128i x = _mm_xor_si128(
        _mm_loadu_si128((const void *)from), _mm_set1_epi8(JSON_TURNED));
    __m128i low =
        _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(JSON_TURNED_QUOTE)), x);
    __m128i special = _mm_or_si128(
        low, _mm_cmpeq_epi8(x, _mm_set1_epi8(JSON_TURNED_BACKSLASH)));

    return (struct json_block){
        .special = (uint32_t)_mm_movemask_epi8(special),
        .wide = (uint32_t)_mm_movemask_epi8(x),
    };
}
#endif

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
