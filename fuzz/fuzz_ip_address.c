/*
 * Addresses and blocks of them.  Ours takes exactly what inet_pton(3) takes,
 * its text says the same address again, and a block contains its network.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/cidr.h"
#include "fuzz.h"

static bool reference(struct span in, uint8_t ret[IP_ADDRESS_LEN])
{
    char text[IP_ADDRESS_TEXT_MAX];

    if (in.len >= sizeof(text) ||
        (in.len > 0 && memchr(in.ptr, '\0', in.len) != NULL))
        return false;
    if (in.len > 0)
        memcpy(text, in.ptr, in.len);
    text[in.len] = '\0';
    if (inet_pton(AF_INET6, text, ret) == 1)
        return true;
    memset(ret, 0, IP_ADDRESS_LEN);
    ret[10] = ret[11] = 0xff;
    return inet_pton(AF_INET, text, ret + IP_ADDRESS_V4_AT) == 1;
}

static void check_text(const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_MAX];
    size_t len = ip_address_text(address, text);
    struct ip_address again;

    FUZZ_CHECK(len == strlen(text));
    FUZZ_CHECK(ip_address_parse(span_of(text, len), &again));
    FUZZ_CHECK(ip_address_eq(address, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct ip_address address;
    uint8_t want[IP_ADDRESS_LEN];
    bool parsed = ip_address_parse(in, &address);
    struct cidr cidr;

    FUZZ_CHECK(parsed == reference(in, want));
    if (parsed) {
        FUZZ_CHECK(memcmp(address.bytes, want, sizeof(want)) == 0);
        check_text(&address);
    }
    if (size >= IP_ADDRESS_LEN) {
        memcpy(address.bytes, data, sizeof(address.bytes));
        check_text(&address);
    }
    if (cidr_parse(in, &cidr) == CIDR_OK) {
        FUZZ_CHECK(cidr.len <= 128);
        FUZZ_CHECK(cidr_contains(&cidr, &cidr.network));
    } else {
        FUZZ_CHECK(!parsed);
    }
    return 0;
}
