#include "wire/json_run.h"

#include <assert.h>

#include "base/cpu.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

size_t json_run_scalar(struct span in, size_t at, bool *wide)
{
    assert(at <= in.len);
    for (; at < in.len; at++) {
        uint8_t c = in.ptr[at];

        if (c < 0x20 || c == '"' || c == '\\')
            break;
        *wide |= c >= 0x80;
    }
    return at;
}

#ifdef __x86_64__

/*
 * A byte is special if, with bit 1 turned over, it is at most 0x20 (controls
 * stay among themselves, and the quote becomes 0x20), or a backslash.  The
 * top bit stays as it is.
 */
enum {
    TURNED = 0x02,
    TURNED_QUOTE = '"' ^ TURNED,
    TURNED_BACKSLASH = '\\' ^ TURNED,
};

/* What a block of bytes says, as one bit a byte. */
struct block {
    uint32_t special;
    uint32_t wide;
};

/* True: the run ends in that block; *at is there. */
static inline bool ends_in(struct block b, size_t *at, bool *wide)
{
    /* Only what stands before the special byte counts. */
    uint32_t before = (b.special & (0U - b.special)) - 1;

    *wide |= (b.wide & before) != 0;
    if (b.special == 0)
        return false;
    *at += (size_t)__builtin_ctz(b.special);
    return true;
}

static inline struct block look_16(const uint8_t *from)
{
    __m128i x = _mm_xor_si128(
        _mm_loadu_si128((const void *)from), _mm_set1_epi8(TURNED));
    __m128i low =
        _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(TURNED_QUOTE)), x);
    __m128i special =
        _mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8(TURNED_BACKSLASH)));

    return (struct block){
        .special = (uint32_t)_mm_movemask_epi8(special),
        .wide = (uint32_t)_mm_movemask_epi8(x),
    };
}

/* Fewer than 16 bytes are left: the last 16 of them all, if there are as many,
 * without those before at. */
static inline size_t end_16(struct span in, size_t at, bool *wide)
{
    struct block b;
    size_t seen = 16 - (in.len - at);

    if (in.len < 16)
        return json_run_scalar(in, at, wide);
    if (at == in.len)
        return at;
    b = look_16(in.ptr + in.len - 16);
    b.special >>= seen;
    b.wide >>= seen;
    return ends_in(b, &at, wide) ? at : in.len;
}

size_t json_run_sse2(struct span in, size_t at, bool *wide)
{
    assert(at <= in.len);
    for (; in.len - at >= 16; at += 16) {
        if (ends_in(look_16(in.ptr + at), &at, wide))
            return at;
    }
    return end_16(in, at, wide);
}

WITH_AVX2 static inline __m256i load_turned(const uint8_t *from)
{
    return _mm256_xor_si256(
        _mm256_loadu_si256((const void *)from), _mm256_set1_epi8(TURNED));
}

WITH_AVX2 static inline struct block look_32(const uint8_t *from)
{
    __m256i x = load_turned(from);
    __m256i low = _mm256_cmpeq_epi8(
        _mm256_min_epu8(x, _mm256_set1_epi8(TURNED_QUOTE)), x);
    __m256i special = _mm256_or_si256(
        low, _mm256_cmpeq_epi8(x, _mm256_set1_epi8(TURNED_BACKSLASH)));

    return (struct block){
        .special = (uint32_t)_mm256_movemask_epi8(special),
        .wide = (uint32_t)_mm256_movemask_epi8(x),
    };
}

/* Are 128 bytes all plain?  *seen gathers their top bits if they are. */
WITH_AVX2 static inline bool are_plain_128(const uint8_t *from, __m256i *seen)
{
    const __m256i backslash = _mm256_set1_epi8(TURNED_BACKSLASH);
    const __m256i quote = _mm256_set1_epi8(TURNED_QUOTE);
    __m256i a = load_turned(from);
    __m256i b = load_turned(from + 32);
    __m256i c = load_turned(from + 64);
    __m256i d = load_turned(from + 96);
    __m256i least =
        _mm256_min_epu8(_mm256_min_epu8(a, b), _mm256_min_epu8(c, d));
    __m256i special = _mm256_cmpeq_epi8(_mm256_min_epu8(least, quote), least);

    special = _mm256_or_si256(special,
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(a, backslash),
                            _mm256_cmpeq_epi8(b, backslash)),
            _mm256_or_si256(_mm256_cmpeq_epi8(c, backslash),
                _mm256_cmpeq_epi8(d, backslash))));
    if (_mm256_testz_si256(special, special) == 0)
        return false;
    *seen = _mm256_or_si256(
        *seen, _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)));
    return true;
}

WITH_AVX2 size_t json_run_avx2(struct span in, size_t at, bool *wide)
{
    __m256i seen = _mm256_setzero_si256();

    assert(at <= in.len);
    while (in.len - at >= 128 && are_plain_128(in.ptr + at, &seen))
        at += 128;
    *wide |= _mm256_movemask_epi8(seen) != 0;
    for (; in.len - at >= 32; at += 32) {
        if (ends_in(look_32(in.ptr + at), &at, wide))
            return at;
    }
    return json_run_sse2(in, at, wide);
}

size_t json_run(struct span in, size_t at, bool *wide)
{
    return cpu_has_avx2() ? json_run_avx2(in, at, wide)
                          : json_run_sse2(in, at, wide);
}

#else

size_t json_run(struct span in, size_t at, bool *wide)
{
    return json_run_scalar(in, at, wide);
}

#endif
