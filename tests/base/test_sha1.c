#include "base/sha1.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "cmocka_all.h"

/* FIPS 180-4's examples, and RFC 6455 section 1.3's. */
static void known_answers(void **state)
{
    static const struct {
        const char *in;
        uint8_t digest[SHA1_LEN];
    } cases[] = {
        {"", {0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b, 0x0d, 0x32, 0x55, 0xbf,
                 0xef, 0x95, 0x60, 0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09}},
        {"abc",
            {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e, 0x25,
                0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d}},
        {"dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6, 0x46,
                0x06, 0xcf, 0x38, 0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t digest[SHA1_LEN];

        sha1(span_str(cases[i].in), digest);
        assert_memory_equal(digest, cases[i].digest, SHA1_LEN);
    }
}

/* Every length around the block's edges, as a library has it. */
static void every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 300; len++) {
        uint8_t *in = malloc(len + 1);
        uint8_t ours[SHA1_LEN];
        uint8_t theirs[SHA1_LEN];

        assert_non_null(in);
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)(i * 7 + len);
        sha1(span_of(in, len), ours);
        assert_non_null(SHA1(in, len, theirs));
        assert_memory_equal(ours, theirs, SHA1_LEN);
        free(in);
    }
}

RUN_TESTS(
    "sha1", cmocka_unit_test(known_answers), cmocka_unit_test(every_length));
