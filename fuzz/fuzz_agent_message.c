/* The pipe between relay and agent: what parses lies in the input and encodes
 * to the same bytes; nothing is a message of both directions. */
#include "fuzz.h"
#include "wire/agent_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[AGENT_MESSAGE_MAX];
    struct span in = span_of(data, size);
    struct agent_message m;
    enum agent_message_status to_relay =
        agent_message_parse(in, AGENT_TO_RELAY, &m);
    enum agent_message_status to_agent =
        agent_message_parse(in, AGENT_TO_AGENT, &m);

    FUZZ_CHECK(to_relay != AGENT_MESSAGE_OK || to_agent == AGENT_MESSAGE_BAD);
    if (to_relay == AGENT_MESSAGE_OK)
        FUZZ_CHECK(agent_message_parse(in, AGENT_TO_RELAY, &m) == to_relay);
    else if (to_agent != AGENT_MESSAGE_OK)
        return 0;
    FUZZ_CHECK(m.len <= size && m.len <= AGENT_MESSAGE_MAX);
    for (size_t i = 0; i < AGENT_PARTS_MAX; i++)
        FUZZ_CHECK(fuzz_is_inside(m.parts[i], in));
    FUZZ_CHECK(agent_message_encode(&m, again, sizeof(again)) == m.len);
    FUZZ_CHECK(memcmp(again, data, m.len) == 0);
    return 0;
}
