/* The pipe between relay and push process, and the wish of a binary that
 * becomes its message: what parses lies in the input and encodes to the same
 * bytes; no message travels both ways; every token can be sent. */
#include "fuzz.h"
#include "wire/json.h"
#include "wire/push_message.h"

static void check_message(struct span in)
{
    static uint8_t again[PUSH_MESSAGE_MAX];
    struct push_message m;
    bool to_relay = push_message_parse(in, PUSH_TO_RELAY, &m);
    bool to_process = push_message_parse(in, PUSH_TO_PROCESS, &m);

    FUZZ_CHECK(!to_relay || !to_process);
    if (!to_relay && !to_process)
        return;
    FUZZ_CHECK(
        push_message_parse(in, to_relay ? PUSH_TO_RELAY : PUSH_TO_PROCESS, &m));
    FUZZ_CHECK(fuzz_is_inside(m.text, in));
    FUZZ_CHECK(push_message_encode(&m, again, sizeof(again)) == in.len);
    FUZZ_CHECK(memcmp(again, in.ptr, in.len) == 0);
}

static void check_wake(struct span in)
{
    static uint8_t token[PUSH_TOKEN_MAX];
    static uint8_t message[PUSH_MESSAGE_MAX];
    struct push_message m = {.type = PUSH_SEND, .id = 1};

    if (push_wake_parse(in, token, &m.text) != PUSH_WAKE_OK)
        return;
    FUZZ_CHECK(json_valid(in));
    FUZZ_CHECK(m.text.len > 0 && m.text.len <= PUSH_TOKEN_MAX);
    FUZZ_CHECK(push_message_encode(&m, message, sizeof(message)) ==
               PUSH_HEAD_LEN + m.text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);

    check_message(in);
    check_wake(in);
    return 0;
}
