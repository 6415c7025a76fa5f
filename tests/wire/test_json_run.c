/* The vectors and the scalar twin of json_run agree: at every length and
 * every place of what ends a run, at the very edge of the memory. */
#include "wire/json_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

#include "cmocka_all.h"

enum { LEN_MAX = 300, ROUNDS = 60000 };

typedef size_t run_fn(struct span in, size_t at, bool *wide);

static run_fn *const variants[] = {
    json_run,
#ifdef __x86_64__
    json_run_sse2,
    json_run_avx2,
#endif
};

static bool may_run(run_fn *fn)
{
#ifdef __x86_64__
    return fn != json_run_avx2 || cpu_has_avx2();
#else
    return fn != NULL;
#endif
}

static void expect_same(const uint8_t *bytes, size_t len, size_t at)
{
    bool want_wide = false;
    size_t want = json_run_scalar(span_of(bytes, len), at, &want_wide);

    for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
        bool wide = false;

        if (!may_run(variants[i]))
            continue;
        if (variants[i](span_of(bytes, len), at, &wide) != want ||
            wide != want_wide)
            fail_msg("variant %zu, %zu bytes from %zu", i, len, at);
        wide = true;
        assert_int_equal(variants[i](span_of(bytes, len), at, &wide), want);
        assert_true(wide); /* never taken back */
    }
}

static void the_scalar_one_is_right(void **state)
{
    bool wide = false;

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t text[] = {'a', 0xff, (uint8_t)c};
        bool ends = c < 0x20 || c == '"' || c == '\\';

        wide = false;
        assert_int_equal(
            json_run_scalar(span_of(text, 3), 2, &wide), ends ? 2 : 3);
        assert_true(wide == (c >= 0x80));
        assert_int_equal(
            json_run_scalar(span_of(text, 3), 0, &wide), ends ? 2 : 3);
        assert_true(wide);
    }
    wide = false;
    assert_int_equal(json_run_scalar(span_of("", 0), 0, &wide), 0);
    assert_false(wide);
}

/* Each byte value at each place of a plain text of each length, and a wide
 * byte behind it, which does not count. */
static void one_special_byte_anywhere(void **state)
{
    static const uint8_t bytes[] = {0, 0x1f, 0x20, '!', '"', '#', '[', '\\',
        ']', 0x7f, 0x80, 0xa0, 0xa2, 0xdc, 0xff};

    (void)state;
    for (size_t len = 0; len <= LEN_MAX; len += len < 70 ? 1 : 23) {
        uint8_t *text = malloc(len == 0 ? 1 : len);

        assert_non_null(text);
        memset(text, 'a', len);
        expect_same(text, len, 0);
        for (size_t place = 0; place < len; place++) {
            for (size_t i = 0; i < sizeof(bytes); i++) {
                text[place] = bytes[i];
                expect_same(text, len, 0);
                expect_same(text, len, place);
            }
            text[place] = 'a';
        }
        free(text);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Mostly plain, with few or many of what is not. */
static void random_texts(void **state)
{
    static const uint8_t rare[] = {'"', '\\', 0x1f, 0, 0x80, 0xff, 0xc3, ' '};
    uint32_t seed = 20260401;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = next_random(&seed) % LEN_MAX;
        uint32_t one_in = 1 + next_random(&seed) % 200;
        uint8_t *text = malloc(len + 1);

        assert_non_null(text);
        /* The block ends with the text, so that a byte too far shows. */
        for (size_t i = 0; i < len; i++) {
            text[i + 1] = next_random(&seed) % one_in == 0
                              ? rare[next_random(&seed) % sizeof(rare)]
                              : (uint8_t)('a' + next_random(&seed) % 26);
        }
        expect_same(text + 1, len, len == 0 ? 0 : next_random(&seed) % len);
        expect_same(text + 1, len, len);
        free(text);
    }
}

RUN_TESTS("json_run", cmocka_unit_test(the_scalar_one_is_right),
    cmocka_unit_test(one_special_byte_anywhere),
    cmocka_unit_test(random_texts));
