/* What a binary may send, and what we make of a server-id. */
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/envelope.h"
#include "wire/json.h"
#include "wire/ws_message.h"

/* The short way to a frame, by whatever stands before it here, finds the same
 * one, or leaves it to the long way. */
static void unwrap(struct span in, const struct envelope *e)
{
    struct span frame;
    size_t before = e->frame.len == 0 ? 0 : (size_t)(e->frame.ptr - in.ptr);

    if (envelope_unwrap(in, span_of(in.ptr, before), &frame))
        FUZZ_CHECK(span_eq(frame, e->frame) || before == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct envelope e;
    enum envelope_status status = envelope_parse(in, &e);
    uint8_t out[256 * 6 + 64];

    if (status == ENVELOPE_ROUTE || status == ENVELOPE_PUSH_WAKE) {
        FUZZ_CHECK(json_valid(in));
        FUZZ_CHECK(fuzz_is_inside(e.frame, in));
        FUZZ_CHECK(e.frame.len == 0 || json_valid(e.frame));
    }
    if (status == ENVELOPE_ROUTE) {
        FUZZ_CHECK(e.conn_id.len > 0 && fuzz_is_inside(e.conn_id, in));
        FUZZ_CHECK(e.frame.len > 0 || e.close_code != 0);
        FUZZ_CHECK(e.close_code == 0 || ws_close_may_send(e.close_code));
    }
    if (status == ENVELOPE_ROUTE)
        unwrap(in, &e);
    if (size > 0 && size <= 256 && utf8_valid(in)) {
        size_t len = envelope_close_notice(in, 1001, out, sizeof(out));
        struct envelope back;

        FUZZ_CHECK(len <= sizeof(out));
        FUZZ_CHECK(envelope_parse(span_of(out, len), &back) == ENVELOPE_ROUTE);
        FUZZ_CHECK(envelope_names(&back, in));
    }
    return 0;
}
