/* The size of a ClientHello: the same whatever pieces it comes in, and never
 * more than three bytes can say. */
#include "fuzz.h"
#include "net/tls_hello_size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_hello_size whole = {.largest = 0};
    struct tls_hello_size pieces = {.largest = 0};
    size_t step = size > 0 ? data[0] % 7 + 1U : 1;

    tls_hello_size_feed(&whole, data, size);
    for (size_t i = 0; i < size; i += step) {
        tls_hello_size_feed(
            &pieces, data + i, size - i < step ? size - i : step);
        FUZZ_CHECK(pieces.record_left <= 0xffff);
        FUZZ_CHECK(pieces.message_left <= pieces.largest);
    }
    FUZZ_CHECK(pieces.largest == whole.largest && whole.largest <= 0xffffff);
    return 0;
}
