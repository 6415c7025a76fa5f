/* A key and a chain from a disk or a CA: what is judged good is one text of
 * two parts, and judged the same again. */
#include "acme/certificate.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct certificate c;
    struct span in = span_of(data, size);
    enum certificate_status status =
        certificate_judge(in, "relay.example.com", 1800000000, &c);

    FUZZ_CHECK(certificate_status_text(status)[0] != '\0');
    if (status != CERTIFICATE_OK && status != CERTIFICATE_EARLY &&
        status != CERTIFICATE_EXPIRED)
        return 0;
    FUZZ_CHECK(fuzz_is_inside(c.key, in) && fuzz_is_inside(c.chain, in));
    FUZZ_CHECK(c.key.ptr + c.key.len == c.chain.ptr);
    FUZZ_CHECK(strlen(c.ari_id) <= CERTIFICATE_ARI_ID_MAX);
    FUZZ_CHECK(
        certificate_judge(in, "relay.example.com", 1800000000, &c) == status);
    return 0;
}
