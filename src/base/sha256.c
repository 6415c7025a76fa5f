#include "base/sha256.h"

#include <string.h>

enum {
    BLOCK_LEN = 64, /* bytes */
    ROUNDS = 64,
    WORDS = 8,      /* of the state */
    LENGTH_LEN = 8, /* of the message's length, at the end of the padding */
};

/* Section 4.2.2: of the cube roots of the first primes. */
static const uint32_t constants[ROUNDS] = {0x428a2f98, 0x71374491, 0xb5c0fbcf,
    0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7,
    0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
    0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c,
    0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee,
    0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return x >> bits | x << (32 - bits);
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* Section 6.2.2, step 1. */
static void schedule(const uint8_t block[BLOCK_LEN], uint32_t w[ROUNDS])
{
    for (size_t i = 0; i < 16; i++)
        w[i] = load32(block + 4 * i);
    for (size_t i = 16; i < ROUNDS; i++) {
        uint32_t a = w[i - 15];
        uint32_t b = w[i - 2];

        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void take_block(uint32_t h[WORDS], const uint8_t block[BLOCK_LEN])
{
    uint32_t w[ROUNDS];
    uint32_t v[WORDS];

    schedule(block, w);
    memcpy(v, h, sizeof(v));
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t a = v[0];
        uint32_t e = v[4];
        uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                      ((e & v[5]) ^ (~e & v[6])) + constants[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, (WORDS - 1) * sizeof(*v));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (size_t i = 0; i < WORDS; i++)
        h[i] += v[i];
}

/* What is left, the bit 1, zeros, and the length in bits. */
static void take_end(uint32_t h[WORDS], struct span rest, uint64_t bits)
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

void sha256(struct span in, uint8_t ret[SHA256_LEN])
{
    /* section 5.3.3 */
    uint32_t h[WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint64_t bits = (uint64_t)in.len * 8;

    while (in.len >= BLOCK_LEN) {
        take_block(h, in.ptr);
        in = span_from(in, BLOCK_LEN);
    }
    take_end(h, in, bits);
    for (size_t i = 0; i < SHA256_LEN; i++)
        ret[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)) & 0xff);
}
