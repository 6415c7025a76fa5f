/* Validity is that of the parts; a floor cuts no character. */
#include "base/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    size_t half = 0;

    if (!utf8_valid(in))
        return 0;
    half = utf8_floor(in, size / 2);
    FUZZ_CHECK(half <= size / 2);
    FUZZ_CHECK(utf8_valid(span_of(data, half)));
    FUZZ_CHECK(utf8_valid(span_from(in, half)));
    return 0;
}
