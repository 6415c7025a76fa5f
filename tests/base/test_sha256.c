#include "base/sha256.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "cmocka_all.h"

/* FIPS 180-4's examples: the first eight bytes tell. */
static void known_answers(void **state)
{
    static const struct {
        const char *in;
        uint8_t digest[8];
    } cases[] = {
        {"", {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14}},
        {"abc", {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t digest[SHA256_LEN];

        sha256(span_str(cases[i].in), digest);
        assert_memory_equal(digest, cases[i].digest, sizeof(cases[i].digest));
    }
}

/* Every length around the block's edges, as a library has it. */
static void every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 300; len++) {
        uint8_t *in = malloc(len + 1);
        uint8_t ours[SHA256_LEN];
        uint8_t theirs[SHA256_LEN];

        assert_non_null(in);
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)(i * 7 + len);
        sha256(span_of(in, len), ours);
        assert_non_null(SHA256(in, len, theirs));
        assert_memory_equal(ours, theirs, SHA256_LEN);
        free(in);
    }
}

RUN_TESTS(
    "sha256", cmocka_unit_test(known_answers), cmocka_unit_test(every_length));
