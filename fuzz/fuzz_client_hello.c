/* The extensions of a ClientHello: a name lies in the body and is not empty;
 * what a body offers, it holds. */
#include "fuzz.h"
#include "wire/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);
    struct span name;

    if (client_hello_host_name(body, &name)) {
        FUZZ_CHECK(name.len > 0 && name.len < size);
        FUZZ_CHECK(name.ptr + name.len == data + size);
    }
    if (client_hello_offers(body, "acme-tls/1"))
        FUZZ_CHECK(memmem(data, size, "acme-tls/1", 10) != NULL);
    FUZZ_CHECK(!client_hello_offers(body, ""));
    if (client_hello_takes_ecdsa(body, span_str("\x13\x01")))
        FUZZ_CHECK(size == 0 || memmem(data, size, "\x04\x03", 2) != NULL);
    FUZZ_CHECK(!client_hello_takes_ecdsa(body, span_of("", 0)));
    if (client_hello_takes_ecdsa(span_of("", 0), body))
        FUZZ_CHECK(size >= 2);
    return 0;
}
