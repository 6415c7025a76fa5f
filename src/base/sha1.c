#include "base/sha1.h"

#include <string.h>

enum {
    BLOCK_LEN = 64, /* bytes */
    ROUNDS = 80,
    LENGTH_LEN = 8, /* of the message's length, at the end of the padding */
};

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* f and K of a round, section 4.1.1 and 4.2.1. */
static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    default:
        return (b ^ c ^ d) + 0xca62c1d6;
    }
}

static void take_block(uint32_t h[5], const uint8_t block[BLOCK_LEN])
{
    uint32_t w[ROUNDS];
    uint32_t v[5];

    for (size_t i = 0; i < 16; i++)
        w[i] = load32(block + 4 * i);
    for (size_t i = 16; i < ROUNDS; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(v, h, sizeof(v));
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t next =
            rotate(v[0], 5) + mix(i, v[1], v[2], v[3]) + v[4] + w[i];

        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotate(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (size_t i = 0; i < 5; i++)
        h[i] += v[i];
}

/* What is left, the bit 1, zeros, and the length in bits. */
static void take_end(uint32_t h[5], struct span rest, uint64_t bits)
{
    uint8_t end[2 * BLOCK_LEN] = {0};
    size_t len = rest.len < BLOCK_LEN - LENGTH_LEN ? BLOCK_LEN : 2 * BLOCK_LEN;

    if (rest.len > 0)
        memcpy(end, rest.ptr, rest.len);
    end[rest.len] = 0x80;
    for (size_t i = 0; i < LENGTH_LEN; i++)
        end[len - 1 - i] = (uint8_t)(bits >> (8 * i) & 0xff);
    for (size_t at = 0; at < len; at += BLOCK_LEN)
        take_block(h, end + at);
}

void sha1(struct span in, uint8_t ret[SHA1_LEN])
{
    uint32_t h[5] = {
        0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint64_t bits = (uint64_t)in.len * 8;

    while (in.len >= BLOCK_LEN) {
        take_block(h, in.ptr);
        in = span_from(in, BLOCK_LEN);
    }
    take_end(h, in, bits);
    for (size_t i = 0; i < SHA1_LEN; i++)
        ret[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)) & 0xff);
}
