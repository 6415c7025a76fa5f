#include "posture/file_capability.h"

#include <stddef.h>

enum {
    VERSION_SHIFT = 24,
    WORDS_1 = 1 + 2,     /* magic, permitted, inheritable */
    WORDS_2 = 1 + 4,     /* each in two halves, low first */
    WORDS_3 = 1 + 4 + 1, /* and the user id of the namespace's root */
    WORD = 4,
};

static uint64_t word(struct span in, size_t index)
{
    const uint8_t *p = in.ptr + index * WORD;

    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24;
}

bool file_capability_parse(struct span value, uint64_t *ret)
{
    static const size_t words[] = {0, WORDS_1, WORDS_2, WORDS_3};
    uint64_t version = value.len < WORD ? 0 : word(value, 0) >> VERSION_SHIFT;

    if (version == 0 || version >= sizeof(words) / sizeof(words[0]) ||
        value.len != words[version] * WORD)
        return false;
    *ret = word(value, 1) | word(value, 2);
    if (version > 1)
        *ret |= (word(value, 3) | word(value, 4)) << 32;
    return true;
}
