/* Between two relays, one of which takes over: what parses lies in the input
 * and encodes to the same bytes; nothing is a message of both directions. */
#include "fuzz.h"
#include "wire/take_over_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[TAKE_OVER_MESSAGE_MAX];
    struct span in = span_of(data, size);
    struct take_over_message m;
    enum take_over_status to_giver =
        take_over_message_parse(in, TAKE_OVER_TO_GIVER, &m);
    enum take_over_status to_taker = TAKE_OVER_BAD;

    if (to_giver != TAKE_OVER_OK)
        to_taker = take_over_message_parse(in, TAKE_OVER_TO_TAKER, &m);
    if (to_giver != TAKE_OVER_OK && to_taker != TAKE_OVER_OK)
        return 0;
    FUZZ_CHECK(size <= TAKE_OVER_MESSAGE_MAX);
    FUZZ_CHECK(fuzz_is_inside(m.version, in) && fuzz_is_inside(m.kinds, in));
    FUZZ_CHECK(m.kinds.len <= TAKE_OVER_SOCKETS_MAX);
    FUZZ_CHECK(take_over_message_encode(&m, again) == size);
    FUZZ_CHECK(memcmp(again, data, size) == 0);
    return 0;
}
