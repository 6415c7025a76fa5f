#include "base/utf8.h"

#include <string.h>

#include "base/cpu.h"

enum { VECTOR_LEN = 32 }; /* bytes; shorter texts are not worth one */

/* Controls, the soft hyphen, surrogates, and what changes a line's direction
 * or is not seen. */
static const struct {
    uint32_t first;
    uint32_t last;
} unprintable[] = {
    {0x0000, 0x001f},
    {0x007f, 0x00a0},
    {0x00ad, 0x00ad},
    {0x200b, 0x200f},
    {0x2028, 0x202f},
    {0x2060, 0x206f},
    {0xfeff, 0xfeff},
};

static bool is_tail(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the character at the start of in, which does not start with ASCII;
 * 0 if it is not well-formed.  The second byte's range depends on the first:
 * no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t character(struct span in)
{
    const uint8_t *p = in.ptr;

    if (p[0] < 0xc2 || p[0] > 0xf4 || in.len < 2)
        return 0;
    if (p[0] < 0xe0)
        return is_tail(p[1]) ? 2 : 0;
    if (in.len < 3 || !is_tail(p[1]) || !is_tail(p[2]))
        return 0;
    if (p[0] < 0xf0) {
        bool bad =
            (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f);

        return bad ? 0 : 3;
    }
    if (in.len < 4 || !is_tail(p[3]))
        return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

size_t utf8_next(struct span in, uint32_t *code)
{
    size_t len = 0;

    if (in.len > 0 && in.ptr[0] < 0x80) {
        *code = in.ptr[0];
        return 1;
    }
    if (in.len > 0)
        len = character(in);
    if (len == 0)
        return 0;
    *code = in.ptr[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        *code = *code << 6 | (in.ptr[i] & 0x3fU);
    return len;
}

static bool starts_with_ascii_word(struct span in)
{
    uint64_t word = 0;

    if (in.len < sizeof(word))
        return false;
    memcpy(&word, in.ptr, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid_scalar(struct span in)
{
    while (in.len > 0) {
        size_t len = 1;

        if (starts_with_ascii_word(in)) {
            len = sizeof(uint64_t);
        } else if (in.ptr[0] >= 0x80) {
            len = character(in);
        }
        if (len == 0)
            return false;
        in = span_from(in, len);
    }
    return true;
}

bool utf8_valid(struct span in)
{
#ifdef __x86_64__
    if (in.len >= VECTOR_LEN && cpu_has_avx2())
        return utf8_valid_avx2(in);
#endif
    return utf8_valid_scalar(in);
}

size_t utf8_floor(struct span in, size_t max)
{
    size_t len = in.len;

    if (len <= max)
        return len;
    len = max;
    while (len > 0 && is_tail(in.ptr[len]))
        len--;
    return len;
}

bool utf8_code_is_printable(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(unprintable); i++) {
        if (code >= unprintable[i].first && code <= unprintable[i].last)
            return false;
    }
    return true;
}

size_t utf8_printable(struct span in)
{
    uint32_t code = 0;
    size_t len = utf8_next(in, &code);

    return len > 0 && utf8_code_is_printable(code) ? len : 0;
}
