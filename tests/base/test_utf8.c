#include "base/utf8.h"

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
    cmocka_unit_test(malformed), cmocka_unit_test(decodes_every_code_point),
    cmocka_unit_test(decodes_nothing_of_nothing),
    cmocka_unit_test(floors_at_characters),
    cmocka_unit_test(what_can_be_shown_in_a_line));
