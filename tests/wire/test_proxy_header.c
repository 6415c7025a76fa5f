#include "wire/proxy_header.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define ADDR4     "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdd\xd5\x01\xbb"
#define ADDR6                                                                  \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                               \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x01\xff\xff"

/* Parse a copy that ends where its heap block does. */
static enum proxy_status parse(struct span in, struct proxy_header *ret)
{
    uint8_t *exact = malloc(in.len + (in.len == 0));
    enum proxy_status status = PROXY_MORE;

    assert_non_null(exact);
    memcpy(exact, in.ptr, in.len);
    status = proxy_header_parse(span_of(exact, in.len), ret);
    free(exact);
    return status;
}

static void refused(void **state)
{
    const struct {
        struct span in;
        enum proxy_status want;
    } cases[] = {
        {LIT("P"), PROXY_TEXT},
        {LIT("PROXY"), PROXY_TEXT},
        {LIT("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_TEXT},
        {LIT("PROXY UNKNOWN\r\n"), PROXY_TEXT},
        {LIT("POST / HTTP/1.1\r\n"), PROXY_ABSENT},
        {LIT("GET / HTTP/1.1\r\n"), PROXY_ABSENT},
        {LIT("\x16\x03\x01\x02"), PROXY_ABSENT},
        {LIT("\0"), PROXY_ABSENT},
        {LIT("\r\r"), PROXY_ABSENT},
        {LIT("\r\n\r\n\r\n"), PROXY_ABSENT},
        {LIT("\r\n\r\n\0\r\nQUIT\r"), PROXY_ABSENT},
        {LIT("\r\n\r\n\0\r\nquit\n"), PROXY_ABSENT},
        {LIT(SIGNATURE "\x01"), PROXY_BAD_VERSION},
        {LIT(SIGNATURE "\x11"), PROXY_BAD_VERSION},
        {LIT(SIGNATURE "\x31"), PROXY_BAD_VERSION},
        {LIT(SIGNATURE "\xf1"), PROXY_BAD_VERSION},
        {LIT(SIGNATURE "\x20"), PROXY_LOCAL},
        {LIT(SIGNATURE "\x20\0\0\0"), PROXY_LOCAL},
        {LIT(SIGNATURE "\x20\x11\0\x0c" ADDR4), PROXY_LOCAL},
        {LIT(SIGNATURE "\x22"), PROXY_BAD_COMMAND},
        {LIT(SIGNATURE "\x2f"), PROXY_BAD_COMMAND},
        {LIT(SIGNATURE "\x21\x00"), PROXY_BAD_FAMILY}, /* UNSPEC */
        {LIT(SIGNATURE "\x21\x01"), PROXY_BAD_FAMILY}, /* UNSPEC, stream */
        {LIT(SIGNATURE "\x21\x10"), PROXY_BAD_FAMILY}, /* IPv4, UNSPEC */
        {LIT(SIGNATURE "\x21\x12"), PROXY_BAD_FAMILY}, /* UDP over IPv4 */
        {LIT(SIGNATURE "\x21\x13"), PROXY_BAD_FAMILY},
        {LIT(SIGNATURE "\x21\x20"), PROXY_BAD_FAMILY}, /* IPv6, UNSPEC */
        {LIT(SIGNATURE "\x21\x22"), PROXY_BAD_FAMILY}, /* UDP over IPv6 */
        {LIT(SIGNATURE "\x21\x31"), PROXY_BAD_FAMILY}, /* UNIX stream */
        {LIT(SIGNATURE "\x21\x32"), PROXY_BAD_FAMILY}, /* UNIX datagram */
        {LIT(SIGNATURE "\x21\x41"), PROXY_BAD_FAMILY},
        {LIT(SIGNATURE "\x21\xff"), PROXY_BAD_FAMILY},
        {LIT(SIGNATURE "\x21\x11\0\0"), PROXY_SHORT},
        {LIT(SIGNATURE "\x21\x11\0\x0b" ADDR4), PROXY_SHORT},
        {LIT(SIGNATURE "\x21\x21\0\x0c" ADDR4), PROXY_SHORT},
        {LIT(SIGNATURE "\x21\x21\0\x23" ADDR6), PROXY_SHORT},
        {LIT(SIGNATURE "\x21\x11\x10\x01"), PROXY_LONG},
        {LIT(SIGNATURE "\x21\x21\xff\xff"), PROXY_LONG},
    };
    struct proxy_header header = {.addr_len = 7};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum proxy_status got = parse(cases[i].in, &header);

        if (got != cases[i].want)
            fail_msg("case %zu: %s", i, proxy_header_text(got));
        assert_int_equal(header.addr_len, 7);
    }
}

static void ipv4(void **state)
{
    struct proxy_header header;

    (void)state;
    assert_int_equal(
        parse(LIT(SIGNATURE "\x21\x11\0\x0c" ADDR4 "GET /"), &header),
        PROXY_OK);
    assert_int_equal(header.addr_len, 4);
    assert_int_equal(header.header_len, 28);
    assert_memory_equal(header.source.addr, "\xc0\x00\x02\x01", 4);
    assert_memory_equal(header.destination.addr, "\xc6\x33\x64\x02", 4);
    assert_int_equal(header.source.port, 56789);
    assert_int_equal(header.destination.port, 443);
}

static void ipv6_with_tlvs(void **state)
{
    struct proxy_header header;

    (void)state;
    /* PP2_TYPE_ALPN "h2", then bytes that are no TLV at all: skipped */
    assert_int_equal(parse(LIT(SIGNATURE "\x21\x21\0\x2b" ADDR6 "\x01\0\x02h2"
                                         "\xff\xff"),
                         &header),
        PROXY_OK);
    assert_int_equal(header.addr_len, 16);
    assert_int_equal(header.header_len, 16 + 43);
    assert_int_equal(header.source.addr[15], 1);
    assert_int_equal(header.destination.addr[15], 2);
    assert_int_equal(header.source.port, 1);
    assert_int_equal(header.destination.port, 65535);
}

/* Every prefix of a good header is incomplete, none is wrong. */
static void any_cut(void **state)
{
    struct span whole = LIT(SIGNATURE "\x21\x11\0\x10" ADDR4 "\x04\0\x01x");
    struct proxy_header header;

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        if (parse(span_of(whole.ptr, len), &header) != PROXY_MORE)
            fail_msg("prefix of %zu bytes", len);
    }
    assert_int_equal(parse(whole, &header), PROXY_OK);
    assert_int_equal(header.header_len, whole.len);
}

static void longest(void **state)
{
    static uint8_t in[PROXY_FIXED_LEN + PROXY_BODY_MAX];
    struct proxy_header header;

    (void)state;
    memcpy(in, SIGNATURE "\x21\x11\x10\0", PROXY_FIXED_LEN);
    assert_int_equal(parse(span_of(in, sizeof(in) - 1), &header), PROXY_MORE);
    assert_int_equal(parse(span_of(in, sizeof(in)), &header), PROXY_OK);
    assert_int_equal(header.header_len, sizeof(in));
}

/* Each refusal has a reason of its own. */
static void reasons(void **state)
{
    (void)state;
    for (int i = 0; i <= PROXY_LONG; i++) {
        for (int k = 0; k < i; k++)
            assert_string_not_equal(proxy_header_text((enum proxy_status)i),
                proxy_header_text((enum proxy_status)k));
    }
}

RUN_TESTS("proxy_header", cmocka_unit_test(refused), cmocka_unit_test(ipv4),
    cmocka_unit_test(ipv6_with_tlvs), cmocka_unit_test(any_cut),
    cmocka_unit_test(longest), cmocka_unit_test(reasons));
