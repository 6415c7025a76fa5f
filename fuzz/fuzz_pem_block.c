/* PEM blocks lie in the input, in order, and each is a text of its own. */
#include "fuzz.h"
#include "wire/pem_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct span rest = in;
    struct pem_block block;

    while (pem_block_next(&rest, &block) == PEM_BLOCK) {
        struct span alone = block.text;
        struct pem_block again;

        FUZZ_CHECK(block.label.len > 0);
        FUZZ_CHECK(fuzz_is_inside(block.label, block.text));
        FUZZ_CHECK(fuzz_is_inside(block.text, in));
        FUZZ_CHECK(rest.ptr == block.text.ptr + block.text.len);
        FUZZ_CHECK(pem_block_next(&alone, &again) == PEM_BLOCK);
        FUZZ_CHECK(alone.len == 0 && span_eq(again.label, block.label));
    }
    return 0;
}
