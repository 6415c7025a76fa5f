#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

#include "cmocka_all.h"

/* The table 3-7 of the Unicode standard, written as a rule for one code
 * point, to compare with. */
static size_t encode(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110100; c++) {
        uint8_t bytes[4];
        size_t len = encode(c, bytes);
        bool want = c < 0xd800 || (c > 0xdfff && c < 0x110000);

        if (utf8_valid(span_of(bytes, len)) != want)
            fail_msg("code point %x", (unsigned)c);
        if (len > 1)
            assert_false(utf8_valid(span_of(bytes, len - 1)));
    }
}

static void malformed(void **state)
{
    const struct span cases[] = {LIT("\x80"), LIT("\xbf"), LIT("\xc0\x80"),
        LIT("\xc1\xbf"), LIT("\xe0\x80\x80"), LIT("\xe0\x9f\xbf"),
        LIT("\xf0\x8f\xbf\xbf"), LIT("\xf5\x80\x80\x80"), LIT("\xff"),
        LIT("\xfe"), LIT("ok\xc3("), LIT("\xe2\x28\xa1"),
        LIT("plain text, long enough for words\xff"),
        LIT("plain text, long enough\xc3")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_false(utf8_valid(cases[i]));
    assert_true(utf8_valid(LIT("")));
    assert_true(utf8_valid(LIT("NUL \0 is text, and \xe2\x82\xac too")));
}

/* ---- the vectors and the scalar twin ---- */

static void expect_twins_agree(const uint8_t *text, size_t len)
{
#ifdef __x86_64__
    struct span in = span_of(text, len);

    if (cpu_has_avx2() && utf8_valid_avx2(in) != utf8_valid_scalar(in))
        fail_msg("%zu bytes: vectors and scalar differ", len);
#endif
    assert_true(utf8_valid(span_of(text, len)) ==
                utf8_valid_scalar(span_of(text, len)));
}

/* Every pair of bytes, and every triple and quadruple that begins with a lead
 * byte and has an edge of each range behind it, across the end of a vector. */
static void twins_agree_on_short_sequences(void **state)
{
    static const uint8_t edges[] = {
        0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xe0, 0xf4, 0xff};
    uint8_t text[40];

    (void)state;
    for (size_t at = 0; at < sizeof(text) - 4; at++) {
        for (unsigned first = 0; first < 256; first++) {
            memset(text, 'a', sizeof(text));
            text[at] = (uint8_t)first;
            for (unsigned second = 0; second < 256; second++) {
                text[at + 1] = (uint8_t)second;
                expect_twins_agree(text, sizeof(text));
                expect_twins_agree(text, at + 2);
            }
            if (first < 0xe0)
                continue;
            for (size_t i = 0; i < 12 * 12 * 12; i++) {
                text[at + 1] = edges[i % 12];
                text[at + 2] = edges[i / 12 % 12];
                text[at + 3] = edges[i / 144];
                expect_twins_agree(text, sizeof(text));
                expect_twins_agree(text, at + 3);
                expect_twins_agree(text, at + 4);
            }
        }
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Well-formed texts, then with a byte changed, or cut. */
static void twins_agree_on_random_texts(void **state)
{
    uint32_t seed = 20260402;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = next_random(&seed) % 200;
        uint32_t largest = 1U << (7 + next_random(&seed) % 15);
        uint8_t *text = malloc(len + 4);
        size_t have = 0;

        assert_non_null(text);
        while (have < len) {
            uint32_t code = next_random(&seed) % largest % 0x110000;

            if (code >= 0xd800 && code <= 0xdfff)
                continue;
            have += encode(code, text + have);
        }
        assert_true(utf8_valid(span_of(text, have)));
        expect_twins_agree(text, have);
        for (size_t cut = 0; cut < 4 && cut < have; cut++)
            expect_twins_agree(text + cut, have - cut);
        if (have > 0) {
            text[next_random(&seed) % have] = (uint8_t)next_random(&seed);
            expect_twins_agree(text, have);
            expect_twins_agree(text, have - 1);
        }
        free(text);
    }
}

static void decodes_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        uint8_t buf[5] = {0, 0, 0, 0, 'x'};
        uint32_t code = UINT32_MAX;
        size_t len = encode(c, buf);
        bool surrogate = c >= 0xd800 && c <= 0xdfff;

        assert_int_equal(
            utf8_next(span_of(buf, sizeof(buf)), &code), surrogate ? 0 : len);
        if (!surrogate)
            assert_int_equal(code, c);
        if (len > 1)
            assert_int_equal(utf8_next(span_of(buf, len - 1), &code), 0);
    }
}

static void decodes_nothing_of_nothing(void **state)
{
    uint32_t code = 0;

    (void)state;
    assert_int_equal(utf8_next(span_of(NULL, 0), &code), 0);
    assert_int_equal(utf8_next(LIT("\x80"), &code), 0);
    assert_int_equal(utf8_next(LIT("\xff"), &code), 0);
}

static void floors_at_characters(void **state)
{
    struct span text = LIT("a\xc3\xa4\xe2\x82\xac");

    (void)state;
    assert_int_equal(utf8_floor(text, 0), 0);
    assert_int_equal(utf8_floor(text, 1), 1);
    assert_int_equal(utf8_floor(text, 2), 1);
    assert_int_equal(utf8_floor(text, 3), 3);
    assert_int_equal(utf8_floor(text, 5), 3);
    assert_int_equal(utf8_floor(text, 6), 6);
    assert_int_equal(utf8_floor(text, 60), 6);
}

static void what_can_be_shown_in_a_line(void **state)
{
    const struct {
        struct span in;
        size_t want;
    } cases[] = {
        {LIT(" "), 1},
        {LIT("~x"), 1},
        {LIT("\xc2\xa1"), 2},
        {LIT("\xe2\x82\xac"), 3},
        {LIT("\xf0\x9f\x98\x80"), 4},
        {LIT(""), 0},
        {LIT("\0"), 0},
        {LIT("\t"), 0},
        {LIT("\x1f"), 0},
        {LIT("\x7f"), 0},
        {LIT("\xc2\x80"), 0},
        {LIT("\xc2\x9f"), 0},
        {LIT("\xc2\xa0"), 0},     /* no-break space */
        {LIT("\xc2\xad"), 0},     /* soft hyphen */
        {LIT("\xe2\x80\x8b"), 0}, /* zero width space */
        {LIT("\xe2\x80\xa8"), 0}, /* line separator */
        {LIT("\xe2\x80\xae"), 0}, /* right-to-left override */
        {LIT("\xef\xbb\xbf"), 0}, /* byte order mark */
        {LIT("\xff"), 0},
        {LIT("\xe2\x82"), 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (utf8_printable(cases[i].in) != cases[i].want)
            fail_msg("case %zu", i);
    }
}

RUN_TESTS("utf8", cmocka_unit_test(every_code_point),
    cmocka_unit_test(malformed),
    cmocka_unit_test(twins_agree_on_short_sequences),
    cmocka_unit_test(twins_agree_on_random_texts),
    cmocka_unit_test(decodes_every_code_point),
    cmocka_unit_test(decodes_nothing_of_nothing),
    cmocka_unit_test(floors_at_characters),
    cmocka_unit_test(what_can_be_shown_in_a_line));
