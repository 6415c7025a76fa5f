/* The small tools of base, one group: each file's tests stand together. */
#include "base/base64url.h"
#include "base/decimal.h"
#include "base/environment.h"
#include "base/host_port.h"
#include "base/logfmt.h"
#include "base/num.h"
#include "base/siphash.h"
#include "base/text.h"

#include <stdlib.h>

#include "cmocka_all.h"

static void host_port_forms(void **state)
{
    const struct {
        struct span in;
        enum host_port_status want;
    } cases[] = {
        {LIT("127.0.0.1:8080"), HOST_PORT_OK},
        {LIT(":443"), HOST_PORT_OK},
        {LIT("[::1]:65535"), HOST_PORT_OK},
        {LIT("0.0.0.0:1"), HOST_PORT_OK},
        {LIT(""), HOST_PORT_NO_COLON},
        {LIT("127.0.0.1"), HOST_PORT_NO_COLON},
        {LIT("[::1]"), HOST_PORT_BAD_PORT},
        {LIT("::1:80"), HOST_PORT_BAD_HOST},
        {LIT("localhost:80"), HOST_PORT_BAD_HOST},
        {LIT("127.0.0.1.:80"), HOST_PORT_BAD_HOST},
        {LIT("127.0.0.1\0:80"), HOST_PORT_BAD_HOST},
        {LIT("[127.0.0.1]:80"), HOST_PORT_BAD_HOST},
        {LIT("127.0.0.1:0"), HOST_PORT_BAD_PORT},
        {LIT("127.0.0.1:65536"), HOST_PORT_BAD_PORT},
        {LIT("127.0.0.1:http"), HOST_PORT_BAD_PORT},
        {LIT("127.0.0.1:"), HOST_PORT_BAD_PORT},
        {LIT("127.0.0.1:+80"), HOST_PORT_BAD_PORT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host_port hp;

        if (host_port_parse(cases[i].in, &hp) != cases[i].want)
            fail_msg("case %zu", i);
    }
}

static void host_port_loopback(void **state)
{
    const struct {
        struct span in;
        bool want;
    } cases[] = {{LIT("127.0.0.1:1"), true}, {LIT("127.255.1.2:1"), true},
        {LIT("[::1]:1"), true}, {LIT(":1"), false}, {LIT("0.0.0.0:1"), false},
        {LIT("[::]:1"), false}, {LIT("128.0.0.1:1"), false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host_port hp;

        assert_int_equal(host_port_parse(cases[i].in, &hp), HOST_PORT_OK);
        assert_int_equal(host_port_is_loopback(&hp), cases[i].want);
    }
}

static void numbers(void **state)
{
    uint64_t n = 7;
    size_t sum = 7;

    (void)state;
    assert_true(num_parse_u64(LIT("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_false(num_parse_u64(LIT("18446744073709551616"), UINT64_MAX, &n));
    assert_false(num_parse_u64(LIT("11"), 10, &n));
    assert_true(num_parse_u64(LIT("010"), 10, &n));
    assert_int_equal(n, 10);
    assert_false(num_parse_u64(LIT(""), 10, &n));
    assert_false(num_parse_u64(LIT("-1"), 10, &n));
    assert_false(num_parse_u64(LIT(" 1"), 10, &n));
    assert_true(num_parse_hex64(LIT("fFffffffffffffff"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(num_parse_hex64(LIT("10000000000000000"), &n));
    assert_false(num_parse_hex64(LIT("0x1"), &n));
    assert_true(num_add_overflows(SIZE_MAX, 1, &sum));
    assert_int_equal(sum, 7);
    assert_false(num_add_overflows(SIZE_MAX - 1, 1, &sum));
}

static void logfmt_escapes(void **state)
{
    const struct {
        struct span in;
        const char *want;
    } cases[] = {
        {LIT("plain"), "k=plain"},
        {LIT(""), "k=\"\""},
        {LIT("a b"), "k=\"a b\""},
        {LIT("a=b"), "k=\"a=b\""},
        {LIT("say \"x\""), "k=\"say \\\"x\\\"\""},
        {LIT("l1\nlevel=ERROR"), "k=\"l1\\nlevel=ERROR\""},
        {LIT("tab\tcr\r"), "k=\"tab\\tcr\\r\""},
        {LIT("\x1b[31m"), "k=\"\\x1b[31m\""},
        {LIT("\xff\xfe"), "k=\"\\xff\\xfe\""},
        {LIT("\xc2\x85"), "k=\"\\xc2\\x85\""},
        {LIT("\xe2\x80\xa8"), "k=\"\\xe2\\x80\\xa8\""},
        {LIT("\xe2\x80\xae"), "k=\"\\xe2\\x80\\xae\""},
        {LIT("\xc3\xa4\xe2\x82\xac"), "k=\xc3\xa4\xe2\x82\xac"},
        {LIT("a\\b"), "k=a\\b"},
        {LIT("a \\"), "k=\"a \\\\\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[64];
        struct text t = text_over(buf, sizeof(buf));

        logfmt_add(&t, "k", cases[i].in);
        assert_string_equal(t.ptr, cases[i].want);
    }
}

static void texts_are_cut_and_say_so(void **state)
{
    char buf[8];
    struct text t = text_over(buf, sizeof(buf));

    (void)state;
    text_add_str(&t, "1234");
    text_addf(&t, "%d", 567);
    assert_false(t.cut);
    assert_string_equal(buf, "1234567");
    text_add_char(&t, '8');
    assert_true(t.cut);
    assert_string_equal(buf, "1234567");
    text_addf(&t, "%s", "more");
    assert_string_equal(buf, "1234567");
    assert_false(text_format(buf, sizeof(buf), "%s", "too long for it"));
    assert_string_equal(buf, "too lon");
    assert_true(text_format(buf, 1, "%s", ""));
}

/* The vectors of the paper's reference: key 00..0f, input 00, 00 01, ... */
static void siphash_vectors(void **state)
{
    const struct siphash_key key = {
        .k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};
    uint8_t in[15];

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
    assert_true(siphash(key, span_of(in, 0)) == 0x726fdb47dd0e0e31);
    assert_true(siphash(key, span_of(in, 1)) == 0x74f839c593dc67fd);
    assert_true(siphash(key, span_of(in, 8)) == 0x93f5f5799a932462);
    assert_true(siphash(key, span_of(in, 15)) == 0xa129ca6149be45e5);
}

static void decimals_without_trailing_zeros(void **state)
{
    const struct {
        uint64_t value;
        unsigned places;
        const char *want;
    } cases[] = {{0, 0, "0"}, {0, 9, "0"}, {7, 0, "7"}, {1500, 3, "1.5"},
        {1000, 3, "1"}, {1, 9, "0.000000001"}, {10000, 9, "0.00001"},
        {1001, 3, "1.001"}, {120, 1, "12"},
        {UINT64_MAX, 9, "18446744073.709551615"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[40];
        struct text t = text_over(buf, sizeof(buf));

        decimal_add(&t, cases[i].value, cases[i].places);
        assert_string_equal(buf, cases[i].want);
    }
}

/* RFC 4648 section 10, and RFC 7515 appendix C. */
static void base64url_vectors(void **state)
{
    const struct {
        struct span in;
        const char *want;
    } cases[] = {
        {LIT(""), ""},
        {LIT("f"), "Zg"},
        {LIT("fo"), "Zm8"},
        {LIT("foo"), "Zm9v"},
        {LIT("foob"), "Zm9vYg"},
        {LIT("fooba"), "Zm9vYmE"},
        {LIT("foobar"), "Zm9vYmFy"},
        {LIT("\x03\xec\xff\xe0\xc1"), "A-z_4ME"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[16];
        struct text t = text_over(buf, sizeof(buf));

        base64url_add(&t, cases[i].in);
        assert_string_equal(buf, cases[i].want);
        assert_int_equal(t.len, BASE64URL_LEN(cases[i].in.len));
        assert_false(t.cut);
    }
}

static void a_variable_is_forgotten_with_its_value(void **state)
{
    const char *value = NULL;

    (void)state;
    assert_int_equal(setenv("FORGET_ME", "secret", 1), 0);
    value = getenv("FORGET_ME"); /* NOLINT(concurrency-mt-unsafe) */
    assert_string_equal(value, "secret");
    environment_forget("FORGET_ME");
    assert_null(getenv("FORGET_ME")); /* NOLINT(concurrency-mt-unsafe) */
    assert_memory_equal(value, "\0\0\0\0\0\0", 7);
    environment_forget("FORGET_ME");
}

RUN_TESTS("base", cmocka_unit_test(base64url_vectors),
    cmocka_unit_test(a_variable_is_forgotten_with_its_value),
    cmocka_unit_test(host_port_forms), cmocka_unit_test(host_port_loopback),
    cmocka_unit_test(numbers), cmocka_unit_test(logfmt_escapes),
    cmocka_unit_test(texts_are_cut_and_say_so),
    cmocka_unit_test(siphash_vectors),
    cmocka_unit_test(decimals_without_trailing_zeros));
