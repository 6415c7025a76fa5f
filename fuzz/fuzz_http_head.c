/* The request head and the handshake in it. */
#include "fuzz.h"
#include "wire/ws_upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    struct span in = span_of(data, size);
    enum http_status status = http_head_parse(in, 16384, &head);
    uint8_t challenge[WS_CHALLENGE_LEN];

    if (status != HTTP_OK) {
        FUZZ_CHECK(http_status_text(status)[0] != '\0');
        FUZZ_CHECK(status != HTTP_MORE || size <= 16384);
        return 0;
    }
    FUZZ_CHECK(head.head_len <= size && head.field_count <= HTTP_FIELDS_MAX);
    FUZZ_CHECK(fuzz_is_inside(head.method, in));
    /* An absolute-form target without a path means "/". */
    FUZZ_CHECK(
        fuzz_is_inside(head.path, in) || span_eq(head.path, span_of("/", 1)));
    for (size_t i = 0; i < head.field_count; i++) {
        FUZZ_CHECK(head.fields[i].name.len > 0);
        FUZZ_CHECK(fuzz_is_inside(head.fields[i].value, in));
        for (size_t k = 0; k < head.fields[i].value.len; k++)
            FUZZ_CHECK(head.fields[i].value.ptr[k] >= 0x20 ||
                       head.fields[i].value.ptr[k] == '\t');
    }
    if (ws_upgrade_check(&head) == WS_UPGRADE_OK)
        ws_upgrade_challenge(&head, challenge);
    return 0;
}
