#include "base/cidr.h"

#include <string.h>

#include "cmocka_all.h"

static struct ip_address address(const char *text)
{
    struct ip_address a;

    assert_true(ip_address_parse(span_str(text), &a));
    return a;
}

static struct cidr block(const char *text)
{
    struct cidr c;

    assert_int_equal(cidr_parse(span_str(text), &c), CIDR_OK);
    return c;
}

static void forms(void **state)
{
    const struct {
        struct span in;
        enum cidr_status want;
        unsigned len;
    } cases[] = {
        {LIT("10.0.0.0/8"), CIDR_OK, 104},
        {LIT("0.0.0.0/0"), CIDR_OK, 96},
        {LIT("192.0.2.1/32"), CIDR_OK, 128},
        {LIT("192.0.2.1"), CIDR_OK, 128},
        {LIT("192.0.2.128/25"), CIDR_OK, 121},
        {LIT("::/0"), CIDR_OK, 0},
        {LIT("2001:db8::/32"), CIDR_OK, 32},
        {LIT("2001:db8::/33"), CIDR_OK, 33},
        {LIT("::1/128"), CIDR_OK, 128},
        {LIT("::1"), CIDR_OK, 128},
        {LIT("::ffff:10.0.0.0/104"), CIDR_OK, 104},
        {LIT("::ffff:0:0/96"), CIDR_OK, 96},
        {LIT(""), CIDR_BAD_ADDRESS, 0},
        {LIT("/8"), CIDR_BAD_ADDRESS, 0},
        {LIT("10/8"), CIDR_BAD_ADDRESS, 0},
        {LIT("10.0.0.0.0/8"), CIDR_BAD_ADDRESS, 0},
        {LIT("[::1]/128"), CIDR_BAD_ADDRESS, 0},
        {LIT("localhost"), CIDR_BAD_ADDRESS, 0},
        {LIT("10.0.0.0 /8"), CIDR_BAD_ADDRESS, 0},
        {LIT("10.0.0.0/"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/33"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/08"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/-1"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/ 8"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/8/8"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/255.0.0.0"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.0/18446744073709551624"), CIDR_BAD_LENGTH, 0},
        {LIT("::/129"), CIDR_BAD_LENGTH, 0},
        {LIT("10.0.0.1/8"), CIDR_HOST_BITS, 0},
        {LIT("192.0.2.1/31"), CIDR_HOST_BITS, 0},
        {LIT("192.0.2.64/25"), CIDR_HOST_BITS, 0},
        {LIT("0.0.0.1/0"), CIDR_HOST_BITS, 0},
        {LIT("2001:db8::/28"), CIDR_HOST_BITS, 0},
        {LIT("::ffff:10.0.0.0/8"), CIDR_HOST_BITS, 0},
        {LIT("::1/127"), CIDR_HOST_BITS, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cidr c = {.len = 77};
        enum cidr_status status = cidr_parse(cases[i].in, &c);

        if (status != cases[i].want)
            fail_msg("case %zu: %s", i, cidr_text(status));
        assert_int_equal(c.len, status == CIDR_OK ? cases[i].len : 77);
        assert_true(strlen(cidr_text(status)) > 0);
    }
}

static void what_a_block_contains(void **state)
{
    const struct {
        const char *cidr;
        const char *address;
        bool want;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0", true},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::10.1.2.3", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", false},
        {"::/64", "0.0.0.1", false},
        {"::ffff:0:0/96", "192.0.2.1", true},
        {"::ffff:0:0/96", "::fffe:192.0.2.1", false},
        {"::1/128", "::1", true},
        {"::1/128", "::2", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cidr c = block(cases[i].cidr);
        struct ip_address a = address(cases[i].address);

        if (cidr_contains(&c, &a) != cases[i].want)
            fail_msg("case %zu", i);
    }
}

static void a_list_contains_what_one_of_it_does(void **state)
{
    const struct cidr list[] = {block("10.0.0.0/8"), block("::1")};
    const struct ip_address inside = address("::1");
    const struct ip_address outside = address("::2");

    (void)state;
    assert_true(cidr_any_contains(list, 2, &inside));
    assert_false(cidr_any_contains(list, 1, &inside));
    assert_false(cidr_any_contains(list, 2, &outside));
    assert_false(cidr_any_contains(NULL, 0, &inside));
}

RUN_TESTS("cidr", cmocka_unit_test(forms),
    cmocka_unit_test(what_a_block_contains),
    cmocka_unit_test(a_list_contains_what_one_of_it_does));
