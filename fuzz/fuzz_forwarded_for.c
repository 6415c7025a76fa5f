/*
 * The walk through X-Forwarded-For, for any head.  Nobody whom we do not
 * trust is believed, and what stands left of the entry that a trusted hop
 * wrote for a stranger changes nothing.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/forwarded_for.h"

static const struct ip_address peer = {
    .bytes = {[10] = 0xff, 0xff, 10, 0, 0, 1}};

static const struct cidr trusted[] = {
    {.network = {.bytes = {[10] = 0xff, 0xff, 10}}, .len = 104},
    {.network = {.bytes = {0x20, 0x01, 0x0d, 0xb8}}, .len = 32},
};

/* The list of one line with an entry of a stranger at its end. */
static void check_append(struct span line)
{
    static const char stranger[] = ",198.51.100.7";
    static uint8_t text[1024];
    static struct http_head head;
    struct ip_address want;
    struct ip_address found;

    if (line.len > sizeof(text) - sizeof(stranger))
        return;
    if (line.len > 0)
        memcpy(text, line.ptr, line.len);
    memcpy(text + line.len, stranger, sizeof(stranger) - 1);
    head.field_count = 1;
    head.fields[0] = (struct http_field){.name = span_str("x-forwarded-for"),
        .value = span_of(text, line.len + sizeof(stranger) - 1)};
    found = forwarded_for_client(&head, &peer, trusted, ARRAY_LEN(trusted));
    FUZZ_CHECK(ip_address_parse(span_str(stranger + 1), &want));
    FUZZ_CHECK(ip_address_eq(&found, &want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    struct span in = span_of(data, size);
    struct ip_address found;
    struct span first;

    check_append(in);
    if (http_head_parse(in, 16384, &head) != HTTP_OK)
        return 0;
    found = forwarded_for_client(&head, &peer, NULL, 0);
    FUZZ_CHECK(ip_address_eq(&found, &peer));
    found = forwarded_for_client(&head, &peer, trusted, ARRAY_LEN(trusted));
    if (http_head_get(&head, "X-Forwarded-For").ptr == NULL)
        FUZZ_CHECK(ip_address_eq(&found, &peer));
    first = forwarded_for_first(&head);
    FUZZ_CHECK(fuzz_is_inside(first, in));
    FUZZ_CHECK(first.len == 0 || memchr(first.ptr, ',', first.len) == NULL);
    return 0;
}
