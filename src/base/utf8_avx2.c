/*
 * UTF-8 by vectors of 32 bytes: J. Keiser and D. Lemire, "Validating UTF-8 in
 * less than one instruction per byte", Software: Practice and Experience
 * 51(5), 2021.
 *
 * Each pair of neighbouring bytes is looked up three times, by the halves of
 * the first and by the upper half of the second; each table says which faults
 * the pair may still be.  A fault that all three leave is one.  That a third
 * or a fourth byte has to be there is compared with where two continuation
 * bytes in a row were found.
 */
#include "base/utf8.h"

#include "base/attr.h"

#ifdef __x86_64__
#include <immintrin.h>

enum fault {
    TOO_SHORT = 1 << 0,  /* a lead byte, and no continuation behind it */
    TOO_LONG = 1 << 1,   /* ASCII, and a continuation behind it */
    OVERLONG_3 = 1 << 2, /* e0 80..9f */
    TOO_LARGE = 1 << 3,  /* f4 90..bf, f5.. 80..bf */
    SURROGATE = 1 << 4,  /* ed a0..bf */
    OVERLONG_2 = 1 << 5, /* c0, c1 */
    OVERLONG_4 = 1 << 6, /* f0 80..8f; and f5.. 80..8f, too large as well */
    TWO_TAILS = 1 << 7,  /* fine as the end of 3 or 4 bytes, and only there */

    CARRY = TOO_SHORT | TOO_LONG | TWO_TAILS, /* whatever the lower half */
};

/* clang-format off */
static const uint8_t by_first_upper[16] = {
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TWO_TAILS, TWO_TAILS, TWO_TAILS, TWO_TAILS,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | OVERLONG_4,
};

static const uint8_t by_first_lower[16] = {
    CARRY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    CARRY | OVERLONG_2,
    CARRY, CARRY,
    CARRY | TOO_LARGE,
    CARRY | TOO_LARGE | OVERLONG_4, CARRY | TOO_LARGE | OVERLONG_4,
    CARRY | TOO_LARGE | OVERLONG_4, CARRY | TOO_LARGE | OVERLONG_4,
    CARRY | TOO_LARGE | OVERLONG_4, CARRY | TOO_LARGE | OVERLONG_4,
    CARRY | TOO_LARGE | OVERLONG_4, CARRY | TOO_LARGE | OVERLONG_4,
    CARRY | TOO_LARGE | OVERLONG_4 | SURROGATE,
    CARRY | TOO_LARGE | OVERLONG_4, CARRY | TOO_LARGE | OVERLONG_4,
};

static const uint8_t by_second_upper[16] = {
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | OVERLONG_4,
    TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
};

/* The largest bytes that ask for nothing of the next block. */
static const uint8_t complete[32] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xef, 0xdf, 0xbf,
};
/* clang-format on */

struct state {
    __m256i block; /* the one before */
    __m256i open;  /* not zero where it asks for bytes of the next */
    __m256i fault; /* not zero where something was wrong */
};

WITH_AVX2 static inline __m256i look_up(const uint8_t table[16], __m256i index)
{
    __m128i half = _mm_loadu_si128((const void *)table);

    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), index);
}

WITH_AVX2 static inline __m256i upper_halves(__m256i bytes)
{
    return _mm256_and_si256(
        _mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
}

WITH_AVX2 static inline __m256i lower_halves(__m256i bytes)
{
    return _mm256_and_si256(bytes, _mm256_set1_epi8(0x0f));
}

/* What is wrong with the pairs of a byte and the one before it. */
WITH_AVX2 static inline __m256i find_faults(__m256i before, __m256i block)
{
    return _mm256_and_si256(
        _mm256_and_si256(look_up(by_first_upper, upper_halves(before)),
            look_up(by_first_lower, lower_halves(before))),
        look_up(by_second_upper, upper_halves(block)));
}

/* TWO_TAILS where the third byte or the fourth of a character stands. */
WITH_AVX2 static inline __m256i find_tails(__m256i two, __m256i three)
{
    __m256i third = _mm256_subs_epu8(two, _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(three, _mm256_set1_epi8(0xf0 - 0x80));

    return _mm256_and_si256(
        _mm256_or_si256(third, fourth), _mm256_set1_epi8((char)TWO_TAILS));
}

WITH_AVX2 static inline void take_wide(struct state *s, __m256i block)
{
    /* The last 16 bytes of the block before and the first 16 of this one. */
    __m256i middle = _mm256_permute2x128_si256(s->block, block, 0x21);
    __m256i one = _mm256_alignr_epi8(block, middle, 15);
    __m256i two = _mm256_alignr_epi8(block, middle, 14);
    __m256i three = _mm256_alignr_epi8(block, middle, 13);

    s->fault = _mm256_or_si256(s->fault,
        _mm256_xor_si256(find_faults(one, block), find_tails(two, three)));
    s->open =
        _mm256_subs_epu8(block, _mm256_loadu_si256((const void *)complete));
}

WITH_AVX2 static inline void take(struct state *s, __m256i block)
{
    if (_mm256_movemask_epi8(block) != 0) {
        take_wide(s, block);
    } else {
        s->fault = _mm256_or_si256(s->fault, s->open);
        s->open = _mm256_setzero_si256();
    }
    s->block = block;
}

WITH_AVX2 bool utf8_valid_avx2(struct span in)
{
    struct state s = {
        .block = _mm256_setzero_si256(),
        .open = _mm256_setzero_si256(),
        .fault = _mm256_setzero_si256(),
    };
    uint8_t rest[32] = {0}; /* filled up with ASCII */
    size_t at = 0;

    for (; in.len - at >= sizeof(rest); at += sizeof(rest))
        take(&s, _mm256_loadu_si256((const void *)(in.ptr + at)));
    if (at < in.len)
        memcpy(rest, in.ptr + at, in.len - at);
    take(&s, _mm256_loadu_si256((const void *)rest));
    s.fault = _mm256_or_si256(s.fault, s.open);
    return _mm256_testz_si256(s.fault, s.fault) != 0;
}

#endif
