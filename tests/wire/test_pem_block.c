#include "wire/pem_block.h"

#include "cmocka_all.h"

#define KEY  "-----BEGIN EC PRIVATE KEY-----\nAAA=\n-----END EC PRIVATE KEY-----"
#define CERT "-----BEGIN CERTIFICATE-----\r\nBB+/\r\n-----END CERTIFICATE-----"

static void blocks(void **state)
{
    struct span in = LIT("\n" KEY "\n" CERT "\r\n" CERT "\n\t ");
    struct pem_block block;

    (void)state;
    assert_int_equal(pem_block_next(&in, &block), PEM_BLOCK);
    assert_true(pem_block_is_key(&block));
    assert_false(pem_block_is_certificate(&block));
    assert_span(block.text, LIT(KEY));
    assert_int_equal(pem_block_next(&in, &block), PEM_BLOCK);
    assert_true(pem_block_is_certificate(&block));
    assert_false(pem_block_is_key(&block));
    assert_span(block.text, LIT(CERT));
    assert_int_equal(pem_block_next(&in, &block), PEM_BLOCK);
    assert_int_equal(pem_block_next(&in, &block), PEM_END);
    assert_int_equal(pem_block_next(&in, &block), PEM_END);
}

static void malformed(void **state)
{
    const struct span cases[] = {
        LIT("x"),
        LIT("\0"),
        LIT("-----BEGIN"),
        LIT("-----BEGIN -----\nAA\n-----END -----"),
        LIT("-----BEGIN A----\nAA\n-----END A-----"),
        LIT("-----BEGIN A-----\nAA\n-----END B-----"),
        LIT("-----BEGIN A-----\nAA\n-----END A----"),
        LIT("-----BEGIN A-----\nAA\n"),
        LIT("-----BEGIN A-----\nA\0A\n-----END A-----"),
        LIT("-----BEGIN A-----\nProc-Type: 4\n-----END A-----"),
        LIT("-----BEGIN a-----\nAA\n-----END a-----"),
        LIT("subject=x\n" CERT),
    };
    struct pem_block block;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span in = cases[i];

        if (pem_block_next(&in, &block) != PEM_MALFORMED)
            fail_msg("case %zu", i);
        assert_ptr_equal(in.ptr, cases[i].ptr);
    }
}

/* A text cut anywhere is seen to be cut, but between its blocks. */
static void any_cut(void **state)
{
    static const char text[] = KEY "\n" CERT "\n";
    size_t whole = 0;

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct span in = span_of(text, len);
        struct pem_block block;
        enum pem_step step = PEM_BLOCK;

        while (step == PEM_BLOCK)
            step = pem_block_next(&in, &block);
        whole += step == PEM_END;
    }
    /* nothing, the key with and without its line end, both likewise */
    assert_int_equal(whole, 5);
}

static void labels(void **state)
{
    const struct {
        struct span label;
        bool key;
    } cases[] = {
        {LIT("EC PRIVATE KEY"), true},
        {LIT("PRIVATE KEY"), true},
        {LIT("RSA PRIVATE KEY"), true},
        {LIT("ENCRYPTED PRIVATE KEY"), false},
        {LIT("EC PARAMETERS"), false},
        {LIT("PUBLIC KEY"), false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pem_block block = {.label = cases[i].label};

        assert_int_equal(pem_block_is_key(&block), cases[i].key);
    }
}

RUN_TESTS("pem_block", cmocka_unit_test(blocks), cmocka_unit_test(malformed),
    cmocka_unit_test(any_cut), cmocka_unit_test(labels));
