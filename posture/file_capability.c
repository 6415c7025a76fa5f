#include "posture/file_capability.h"

#include <stddef.h>

enum {
    VERSION_SHIFT = 24,
    WORDS_1 = 1 + 2,     /* magic, permitted, inheritable */
    WORDS_2 = 1 + 4,     /* each in two halves, low first */
    WORDS_3 = 1 + 4 + 1, /* and the user id of the namespace's root */
    WORD = 4,
    EFFECTIVE = 1, /* VFS_CAP_FLAGS_EFFECTIVE */
};

static uint64_t word(struct span in, size_t index)
{
    const uint8_t *p = in.ptr + index * WORD;

    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24;
}

bool file_capability_parse(struct span value, struct file_capability *ret)
{
    static const size_t words[] = {0, WORDS_1, WORDS_2, WORDS_3};
    uint64_t version = value.len < WORD ? 0 : word(value, 0) >> VERSION_SHIFT;

    if (version == 0 || version >= sizeof(words) / sizeof(words[0]) ||
        value.len != words[version] * WORD)
        return false;
    uint64_t permitted = word(value, 1);
    uint64_t inheritable = word(value, 2);

    if (version > 1) {
        permitted |= word(value, 3) << 32;
        inheritable |= word(value, 4) << 32;
    }
    *ret = (struct file_capability){
        .set = permitted | inheritable,
        .needed = (word(value, 0) & EFFECTIVE) != 0 ? permitted : 0,
    };
    return true;
}
