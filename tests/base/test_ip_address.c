#include "base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

/* Parse from a block of the exact size, so that reading past it is seen. */
static bool parse(struct span in, struct ip_address *ret)
{
    uint8_t *exact = malloc(in.len + (in.len == 0));
    bool ok = false;

    assert_non_null(exact);
    memcpy(exact, in.ptr, in.len);
    ok = ip_address_parse(span_of(exact, in.len), ret);
    free(exact);
    return ok;
}

static void what_parses_and_how_it_is_written(void **state)
{
    const struct {
        struct span in;
        const char *text;
    } cases[] = {
        {LIT("0.0.0.0"), "0.0.0.0"},
        {LIT("255.255.255.255"), "255.255.255.255"},
        {LIT("192.0.2.10"), "192.0.2.10"},
        {LIT("::"), "::"},
        {LIT("::1"), "::1"},
        {LIT("1::"), "1::"},
        {LIT("0:0:0:0:0:0:0:1"), "::1"},
        {LIT("2001:DB8::00aB"), "2001:db8::ab"},
        {LIT("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1"},
        {LIT("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1"},
        {LIT("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1"},
        {LIT("1:2:3:4:5:6:7::"), "1:2:3:4:5:6:7:0"},
        {LIT("::2:3:4:5:6:7:8"), "0:2:3:4:5:6:7:8"},
        {LIT("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {LIT("::ffff:192.0.2.1"), "192.0.2.1"},
        {LIT("::ffff:c000:201"), "192.0.2.1"},
        {LIT("::1.2.3.4"), "::102:304"},
        {LIT("64:ff9b::192.0.2.33"), "64:ff9b::c000:221"},
        {LIT("1:2:3:4:5:6:1.2.3.4"), "1:2:3:4:5:6:102:304"},
        {LIT("0000:0000:0000:0000:0000:ffff:255.255.255.255"),
            "255.255.255.255"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_address address;
        char text[IP_ADDRESS_TEXT_MAX];

        if (!parse(cases[i].in, &address))
            fail_msg("case %zu", i);
        assert_int_equal(
            ip_address_text(&address, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void what_does_not_parse(void **state)
{
    const struct span cases[] = {
        LIT(""),
        LIT("1"),
        LIT("1.2.3"),
        LIT("1.2.3."),
        LIT(".1.2.3"),
        LIT("1..2.3"),
        LIT("1.2.3.4.5"),
        LIT("1.2.3.4."),
        LIT("256.1.1.1"),
        LIT("1.2.3.999"),
        LIT("01.2.3.4"),
        LIT("1.2.3.00"),
        LIT("1.2.3.0004"),
        LIT("0x1.2.3.4"),
        LIT("1.2.3.4 "),
        LIT(" 1.2.3.4"),
        LIT("1.2.3.4:80"),
        LIT("1.2.3.4/8"),
        LIT("1.2.3.4\0"),
        LIT("-1.2.3.4"),
        LIT("+1.2.3.4"),
        LIT(":"),
        LIT(":::"),
        LIT(":1"),
        LIT("1:"),
        LIT("1:2"),
        LIT("::1:"),
        LIT("1::2::3"),
        LIT("12345::"),
        LIT("::g"),
        LIT("1:2:3:4:5:6:7"),
        LIT("1:2:3:4:5:6:7:8:9"),
        LIT("1:2:3:4:5:6:7:8::"),
        LIT("::1:2:3:4:5:6:7:8"),
        LIT("1:2:3:4::5:6:7:8"),
        LIT("1:2:3:4:5:6:7:1.2.3.4"),
        LIT("1:2:3:4:5:6:7:8:1.2.3.4"),
        LIT("1.2.3.4::"),
        LIT("::1.2.3"),
        LIT("::01.2.3.4"),
        LIT("::1%eth0"),
        LIT("[::1]"),
        LIT("[::1]:80"),
        LIT("\"::1\""),
        LIT("::1/128"),
        LIT("unknown"),
        LIT("localhost"),
        LIT("0000:0000:0000:0000:0000:ffff:255.255.255.2555"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_address address;

        memset(&address, 0x5a, sizeof(address));
        if (parse(cases[i], &address))
            fail_msg("case %zu", i);
        for (size_t k = 0; k < IP_ADDRESS_LEN; k++)
            assert_int_equal(address.bytes[k], 0x5a);
    }
}

static void from_sockets(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct ip_address a;
    struct ip_address b;
    char text[IP_ADDRESS_TEXT_MAX];

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr), 1);
    assert_true(ip_address_from_sockaddr((struct sockaddr *)&v4, &a));
    assert_true(ip_address_is_v4(&a));
    (void)ip_address_text(&a, text);
    assert_string_equal(text, "192.0.2.1");

    /* The same peer at a dual-stack socket is the same address. */
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr), 1);
    assert_true(ip_address_from_sockaddr((struct sockaddr *)&v6, &b));
    assert_true(ip_address_eq(&a, &b));

    assert_int_equal(inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr), 1);
    assert_true(ip_address_from_sockaddr((struct sockaddr *)&v6, &b));
    assert_false(ip_address_is_v4(&b));
    assert_false(ip_address_eq(&a, &b));
    (void)ip_address_text(&b, text);
    assert_string_equal(text, "fe80::1");

    assert_false(ip_address_from_sockaddr(&other, &b));
}

static bool share_a_key(const char *a, const char *b)
{
    struct ip_address x;
    struct ip_address y;

    assert_true(parse(span_str(a), &x));
    assert_true(parse(span_str(b), &y));
    x = ip_address_key(&x);
    y = ip_address_key(&y);
    return ip_address_eq(&x, &y);
}

static void a_key_is_an_ipv4_address_or_a_64(void **state)
{
    (void)state;
    assert_true(share_a_key("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(share_a_key("192.0.2.1", "192.0.2.2"));
    assert_true(share_a_key("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
    assert_false(share_a_key("2001:db8:0:1::1", "2001:db8:0:2::1"));
    assert_true(share_a_key("::1", "::2"));
    /* 0.0.0.0 maps into ::/64 but is not accounted there. */
    assert_false(share_a_key("::1", "0.0.0.0"));
}

RUN_TESTS("ip_address", cmocka_unit_test(what_parses_and_how_it_is_written),
    cmocka_unit_test(what_does_not_parse), cmocka_unit_test(from_sockets),
    cmocka_unit_test(a_key_is_an_ipv4_address_or_a_64));
