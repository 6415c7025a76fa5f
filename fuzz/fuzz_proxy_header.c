/* The PROXY header: what is complete lies in the input; what is refused stays
 * refused whatever follows, and what needs more was not yet whole. */
#include "fuzz.h"
#include "wire/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header;
    enum proxy_status whole = proxy_header_parse(span_of(data, size), &header);
    size_t consumed = whole == PROXY_OK ? header.header_len : size;

    FUZZ_CHECK(proxy_header_text(whole)[0] != '\0');
    FUZZ_CHECK(consumed <= size);
    if (whole == PROXY_OK) {
        FUZZ_CHECK(header.addr_len == 4 || header.addr_len == 16);
        FUZZ_CHECK(header.header_len <= PROXY_FIXED_LEN + PROXY_BODY_MAX);
        FUZZ_CHECK(
            proxy_header_parse(span_of(data, consumed), &header) == PROXY_OK);
    }
    if (whole == PROXY_OK || whole == PROXY_MORE) {
        for (size_t len = 0; len < consumed; len++)
            FUZZ_CHECK(
                proxy_header_parse(span_of(data, len), &header) == PROXY_MORE);
    }
    return 0;
}
