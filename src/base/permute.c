#include "base/permute.h"

enum { ROUNDS = 4 };

uint32_t permute_u32(struct siphash_key key, uint32_t number)
{
    uint16_t left = (uint16_t)(number >> 16);
    uint16_t right = (uint16_t)(number & 0xffff);

    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint8_t in[] = {
            (uint8_t)round, (uint8_t)(right >> 8), (uint8_t)(right & 0xff)};
        uint16_t mixed =
            (uint16_t)(left ^ (siphash(key, span_of(in, sizeof(in))) & 0xffff));

        left = right;
        right = mixed;
    }
    return (uint32_t)left << 16 | right;
}
