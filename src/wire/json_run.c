#include "wire/json_run.h"

#include <assert.h>

#include "base/cpu.h"

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

/* Fewer than 16 bytes are left: the last 16 of them all, if there are as many,
 * without those before at. */
static inline size_t end_16(struct span in, size_t at, bool *wide)
{
    struct json_block b;
    size_t seen = 16 - (in.len - at);

    if (in.len < 16)
        return json_run_scalar(in, at, wide);
    if (at == in.len)
        return at;
    b = json_block_16(in.ptr + in.len - 16);
    b.special >>= seen;
    b.wide >>= seen;
    return json_block_ends(b, &at, wide) ? at : in.len;
}

size_t json_run_sse2(struct span in, size_t at, bool *wide)
{
    assert(at <= in.len);
    for (; in.len - at >= 16; at += 16) {
        if (json_block_ends(json_block_16(in.ptr + at), &at, wide))
            return at;
    }
    return end_16(in, at, wide);
}

WITH_AVX2 static inline __m256i load_turned(const uint8_t *from)
{
    return _mm256_xor_si256(
        _mm256_loadu_si256((const void *)from), _mm256_set1_epi8(JSON_TURNED));
}

WITH_AVX2 static inline struct json_block look_32(const uint8_t *from)
{
    __m256i x = load_turned(from);
    __m256i low = _mm256_cmpeq_epi8(
        _mm256_min_epu8(x, _mm256_set1_epi8(JSON_TURNED_QUOTE)), x);
    __m256i special = _mm256_or_si256(
        low, _mm256_cmpeq_epi8(x, _mm256_set1_epi8(JSON_TURNED_BACKSLASH)));

    return (struct json_block){
        .special = (uint32_t)_mm256_movemask_epi8(special),
        .wide = (uint32_t)_mm256_movemask_epi8(x),
    };
}

/* Are 128 bytes all plain?  *seen gathers their top bits if they are. */
WITH_AVX2 static inline bool are_plain_128(const uint8_t *from, __m256i *seen)
{
    const __m256i backslash = _mm256_set1_epi8(JSON_TURNED_BACKSLASH);
    const __m256i quote = _mm256_set1_epi8(JSON_TURNED_QUOTE);
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

/* The same of 32. */
WITH_AVX2 static inline size_t end_32(struct span in, size_t at, bool *wide)
{
    struct json_block b;
    size_t seen = 32 - (in.len - at);

    if (in.len < 32)
        return json_run_sse2(in, at, wide);
    if (at == in.len)
        return at;
    b = look_32(in.ptr + in.len - 32);
    b.special >>= seen;
    b.wide >>= seen;
    return json_block_ends(b, &at, wide) ? at : in.len;
}

/* As many plain blocks of 128 bytes as there are. */
WITH_AVX2 static size_t skip_blocks(struct span in, size_t at, bool *wide)
{
    __m256i seen = _mm256_setzero_si256();

    while (in.len - at >= 128 && are_plain_128(in.ptr + at, &seen))
        at += 128;
    *wide |= _mm256_movemask_epi8(seen) != 0;
    return at;
}

WITH_AVX2 size_t json_run_avx2(struct span in, size_t at, bool *wide)
{
    assert(at <= in.len);
    if (in.len - at >= 256)
        at = skip_blocks(in, at, wide);
    for (; in.len - at >= 32; at += 32) {
        if (json_block_ends(look_32(in.ptr + at), &at, wide))
            return at;
    }
    return end_32(in, at, wide);
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
