#include "base/cidr.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"

enum {
    BITS = 8 * IP_ADDRESS_LEN,
    V4_BITS_AT = 8 * IP_ADDRESS_V4_AT,
};

static const char *const texts[] = {
#define X(name, text) [name] = (text),
    CIDR_STATUS_LIST(X)
#undef X
};

/* The bits of byte i that a prefix of len bits covers. */
static uint8_t mask(unsigned len, size_t i)
{
    size_t before = 8 * i;

    if (len <= before)
        return 0;
    if (len - before >= 8)
        return 0xff;
    return (uint8_t)(0xff00U >> (len - before));
}

static bool has_host_bits(const struct cidr *cidr)
{
    for (size_t i = 0; i < IP_ADDRESS_LEN; i++) {
        if ((cidr->network.bytes[i] & (uint8_t)~mask(cidr->len, i)) != 0)
            return true;
    }
    return false;
}

/* The number behind the slash; "08" is nothing that people mean. */
static bool parse_length(struct span text, unsigned max, unsigned *ret)
{
    uint64_t len = 0;

    if (text.len > 1 && text.ptr[0] == '0')
        return false;
    if (!num_parse_u64(text, max, &len))
        return false;
    *ret = (unsigned)len;
    return true;
}

enum cidr_status cidr_parse(struct span text, struct cidr *ret)
{
    struct cidr cidr = {.len = BITS};
    struct span rest = text;
    struct span address = span_take_until(&rest, '/');
    bool has_length = address.len < text.len;
    bool is_dotted = false;

    if (!ip_address_parse(address, &cidr.network))
        return CIDR_BAD_ADDRESS;
    /* The length counts the bits of the text: ::ffff:10.0.0.0/104. */
    is_dotted = memchr(address.ptr, ':', address.len) == NULL;
    if (has_length) {
        unsigned shift = is_dotted ? V4_BITS_AT : 0;

        if (!parse_length(rest, BITS - shift, &cidr.len))
            return CIDR_BAD_LENGTH;
        cidr.len += shift;
    }
    if (has_host_bits(&cidr))
        return CIDR_HOST_BITS;
    *ret = cidr;
    return CIDR_OK;
}

const char *cidr_text(enum cidr_status status)
{
    assert(status < ARRAY_LEN(texts));
    return texts[status];
}

/* A prefix shorter than that of the mapped addresses has no mapped network:
 * its host bits would be set.  So the network alone tells the family. */
bool cidr_contains(const struct cidr *cidr, const struct ip_address *address)
{
    if (ip_address_is_v4(address) != ip_address_is_v4(&cidr->network))
        return false;
    for (size_t i = 0; i < IP_ADDRESS_LEN; i++) {
        uint8_t differ = cidr->network.bytes[i] ^ address->bytes[i];

        if ((differ & mask(cidr->len, i)) != 0)
            return false;
    }
    return true;
}

bool cidr_any_contains(
    const struct cidr *list, size_t count, const struct ip_address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (cidr_contains(&list[i], address))
            return true;
    }
    return false;
}
