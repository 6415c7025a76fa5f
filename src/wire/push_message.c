#include "wire/push_message.h"

#include <assert.h>

/* The head: version, type, outcome, requests, id; the text is the rest. */
enum {
    CODEC_VERSION = 1,
    AT_TYPE = 1,
    AT_OUTCOME = 2,
    AT_REQUESTS = 3,
    AT_ID = 4,
};

/* clang-format off */
static const struct rule {
    enum push_direction direction;
    bool has_id;
    bool has_result; /* outcome and requests */
    bool any_bytes;  /* in the text; else printable ASCII */
    size_t text_min;
    size_t text_max;
} rules[] = {
    [PUSH_STARTED] = {.direction = PUSH_TO_RELAY},
    [PUSH_RESULT] = {.direction = PUSH_TO_RELAY, .has_id = true, .has_result = true,
        .text_max = PUSH_TEXT_MAX},
    [PUSH_DIED] = {.direction = PUSH_TO_RELAY, .text_min = 1, .text_max = PUSH_TEXT_MAX},
    [PUSH_SEND] = {.direction = PUSH_TO_PROCESS, .has_id = true, .any_bytes = true,
        .text_min = 1, .text_max = PUSH_TOKEN_MAX},
    [PUSH_STOP] = {.direction = PUSH_TO_PROCESS},
};
/* clang-format on */

_Static_assert(
    ARRAY_LEN(rules) == PUSH_TYPE_COUNT, "every enum push_type needs a row");

static const char *const outcome_names[] = {
#define X(name, text) [name] = (text),
    PUSH_OUTCOME_LIST(X)
#undef X
};

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    }
    return true;
}

static bool is_legal(const struct push_message *m)
{
    const struct rule *rule = &rules[m->type];

    if ((m->id != 0) != rule->has_id || m->outcome >= PUSH_OUTCOME_COUNT)
        return false;
    if (!rule->has_result && (m->outcome != 0 || m->requests != 0))
        return false;
    if (m->text.len < rule->text_min || m->text.len > rule->text_max)
        return false;
    return rule->any_bytes || is_printable(m->text);
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

bool push_message_parse(
    struct span in, enum push_direction direction, struct push_message *ret)
{
    struct push_message m = {.id = 0};

    if (in.len < PUSH_HEAD_LEN || in.ptr[0] != CODEC_VERSION ||
        in.ptr[AT_TYPE] >= PUSH_TYPE_COUNT ||
        rules[in.ptr[AT_TYPE]].direction != direction ||
        in.ptr[AT_OUTCOME] >= PUSH_OUTCOME_COUNT)
        return false;
    m.type = (enum push_type)in.ptr[AT_TYPE];
    m.outcome = (enum push_outcome)in.ptr[AT_OUTCOME];
    m.requests = in.ptr[AT_REQUESTS];
    m.id = read_u32(in.ptr + AT_ID);
    m.text = span_from(in, PUSH_HEAD_LEN);
    if (!is_legal(&m))
        return false;
    *ret = m;
    return true;
}

size_t push_message_encode(
    const struct push_message *message, uint8_t *ret, size_t cap)
{
    assert(message->type < PUSH_TYPE_COUNT);
    if (!is_legal(message) || cap < PUSH_HEAD_LEN + message->text.len)
        return 0;
    ret[0] = CODEC_VERSION;
    ret[AT_TYPE] = (uint8_t)message->type;
    ret[AT_OUTCOME] = (uint8_t)message->outcome;
    ret[AT_REQUESTS] = message->requests;
    for (unsigned i = 0; i < 4; i++)
        ret[AT_ID + i] = (uint8_t)(message->id >> (24 - 8 * i) & 0xff);
    if (message->text.len > 0)
        memcpy(ret + PUSH_HEAD_LEN, message->text.ptr, message->text.len);
    return PUSH_HEAD_LEN + message->text.len;
}

const char *push_outcome_name(enum push_outcome outcome)
{
    assert(outcome < ARRAY_LEN(outcome_names));
    return outcome_names[outcome];
}
