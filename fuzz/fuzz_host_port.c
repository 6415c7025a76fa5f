/* Addresses as flags take them, and values as the log writes them. */
#include "base/host_port.h"
#include "base/logfmt.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_port hp;
    char line[512];
    struct text t = text_over(line, sizeof(line));

    if (host_port_parse(span_of(data, size), &hp) == HOST_PORT_OK)
        FUZZ_CHECK(hp.port != 0 && hp.addr_len <= sizeof(hp.addr));
    logfmt_add(&t, "k", span_of(data, size));
    for (size_t i = 0; i < t.len; i++)
        FUZZ_CHECK((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    return 0;
}
