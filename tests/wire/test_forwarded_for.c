#include "wire/forwarded_for.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define XFF "X-Forwarded-For: "

static struct http_head head;

static const struct http_head *with(const char *fields)
{
    static char text[4096];

    (void)snprintf(
        text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_int_equal(http_head_parse(span_str(text), 4096, &head), HTTP_OK);
    return &head;
}

/* Trusted: 10.0.0.0/8, 192.0.2.1 and 2001:db8::/32. */
static const char *client(const char *peer, const char *fields)
{
    static char text[IP_ADDRESS_TEXT_MAX];
    struct cidr trusted[3];
    struct ip_address from;
    struct ip_address found;

    assert_int_equal(cidr_parse(LIT("10.0.0.0/8"), &trusted[0]), CIDR_OK);
    assert_int_equal(cidr_parse(LIT("192.0.2.1"), &trusted[1]), CIDR_OK);
    assert_int_equal(cidr_parse(LIT("2001:db8::/32"), &trusted[2]), CIDR_OK);
    assert_true(ip_address_parse(span_str(peer), &from));
    found = forwarded_for_client(with(fields), &from, trusted, 3);
    (void)ip_address_text(&found, text);
    return text;
}

static void the_walk(void **state)
{
    static const struct {
        const char *peer;
        const char *fields;
        const char *want;
    } cases[] = {
        /* nothing said, or by nobody whom we trust */
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", XFF "\r\n", "10.0.0.1"},
        {"203.0.113.9", XFF "198.51.100.7\r\n", "203.0.113.9"},
        {"203.0.113.9", XFF "10.0.0.1\r\n", "203.0.113.9"},
        {"2001:db9::1", XFF "198.51.100.7\r\n", "2001:db9::1"},
        /* one proxy, several, and what the client claimed before them */
        {"10.0.0.1", XFF "198.51.100.7\r\n", "198.51.100.7"},
        {"10.0.0.1", XFF "2001:db9::7\r\n", "2001:db9::7"},
        {"2001:db8::1", XFF "198.51.100.7\r\n", "198.51.100.7"},
        {"::ffff:10.0.0.1", XFF "198.51.100.7\r\n", "198.51.100.7"},
        {"10.0.0.1", XFF "6.6.6.6, 198.51.100.7\r\n", "198.51.100.7"},
        {"10.0.0.1", XFF "6.6.6.6, 198.51.100.7, 10.0.0.2\r\n", "198.51.100.7"},
        {"10.0.0.1", XFF "6.6.6.6, 198.51.100.7, 192.0.2.1,2001:db8::2\r\n",
            "198.51.100.7"},
        {"10.0.0.1", XFF "198.51.100.7, ::ffff:10.9.9.9\r\n", "198.51.100.7"},
        {"10.0.0.1", XFF "10.0.0.7, 198.51.100.7\r\n", "198.51.100.7"},
        /* all of them trusted: the farthest */
        {"10.0.0.1", XFF "10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"},
        /* several lines are one list, other fields between them or not */
        {"10.0.0.1", XFF "198.51.100.7\r\n" XFF "10.0.0.2\r\n", "198.51.100.7"},
        {"10.0.0.1",
            XFF "6.6.6.6\r\nX-Other: 1\r\nx-forwarded-FOR: 198.51.100.7\r\n",
            "198.51.100.7"},
        {"10.0.0.1", XFF "198.51.100.7\r\n" XFF "\r\n" XFF ",\r\n",
            "198.51.100.7"},
        /* empty entries and blanks */
        {"10.0.0.1", XFF ",198.51.100.7 \t, ,\r\n", "198.51.100.7"},
        {"10.0.0.1", XFF ",,,,\r\n", "10.0.0.1"},
        /* what is no address ends the walk at the hop that wrote it */
        {"10.0.0.1", XFF "unknown\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "198.51.100.7, unknown\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "198.51.100.7, _hidden, 10.0.0.2\r\n", "10.0.0.2"},
        {"10.0.0.1", XFF "198.51.100.7:4711\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "[2001:db9::7]\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "\"[2001:db9::7]:4711\"\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "198.51.100.7 10.0.0.2\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "fe80::1%eth0\r\n", "10.0.0.1"},
        {"10.0.0.1", XFF "198.51.100.7\r\n" XFF "x\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=198.51.100.7\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-Fo: 198.51.100.7\r\n", "10.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = client(cases[i].peer, cases[i].fields);

        if (strcmp(got, cases[i].want) != 0)
            fail_msg("case %zu: %s, not %s", i, got, cases[i].want);
    }
}

static void without_a_list_of_proxies_nobody_is_trusted(void **state)
{
    struct ip_address peer;
    struct ip_address found;

    (void)state;
    assert_true(ip_address_parse(LIT("10.0.0.1"), &peer));
    found = forwarded_for_client(with(XFF "198.51.100.7\r\n"), &peer, NULL, 0);
    assert_true(ip_address_eq(&found, &peer));
}

static void the_first_entry_as_it_stands(void **state)
{
    (void)state;
    assert_span(
        forwarded_for_first(with(XFF "198.51.100.7\r\n")), LIT("198.51.100.7"));
    assert_span(forwarded_for_first(with(XFF " a name\t, 10.0.0.1\r\n")),
        LIT("a name"));
    assert_span(forwarded_for_first(with(XFF "1.1.1.1\r\n" XFF "2.2.2.2\r\n")),
        LIT("1.1.1.1"));
    assert_int_equal(forwarded_for_first(with("")).len, 0);
    assert_int_equal(forwarded_for_first(with(XFF "\r\n")).len, 0);
    assert_int_equal(forwarded_for_first(with(XFF " , 1.1.1.1\r\n")).len, 0);
    assert_int_equal(
        forwarded_for_first(with(XFF "\r\n" XFF "1.1.1.1\r\n")).len, 0);
}

RUN_TESTS("forwarded_for", cmocka_unit_test(the_walk),
    cmocka_unit_test(without_a_list_of_proxies_nobody_is_trusted),
    cmocka_unit_test(the_first_entry_as_it_stands));
