#include "wire/agent_message.h"

#include <assert.h>

/* The head: version, type, kind, zero, length of the body, when. */
enum {
    CODEC_VERSION = 1,
    AT_TYPE = 1,
    AT_KIND = 2,
    AT_ZERO = 3,
    AT_BODY_LEN = 4,
    AT_WHEN = 8,
    PART_HEAD_LEN = 4, /* the part's length */
};

/* What a part may hold. */
enum part_class {
    PART_TEXT, /* printable ASCII */
    PART_LOG,  /* any bytes: whoever logs it escapes it */
    PART_PEM,  /* printable ASCII and line ends */
};

struct part_rule {
    uint32_t len_max; /* bytes; one at least */
    enum part_class class;
};

/* clang-format off */
static const struct rule {
    enum agent_direction direction;
    uint8_t kind_count; /* kinds below it are legal; 1: the type has none */
    bool has_when;
    uint8_t part_count;
    struct part_rule parts[AGENT_PARTS_MAX];
} rules[] = {
    [AGENT_PRESENT_HTTP] = {AGENT_TO_RELAY, 1, false, 2, {
        {AGENT_TOKEN_MAX, PART_TEXT}, {AGENT_KEY_AUTH_MAX, PART_TEXT}}},
    [AGENT_PRESENT_TLS] = {AGENT_TO_RELAY, 1, false, 3, {
        {AGENT_NAME_MAX, PART_TEXT}, {AGENT_KEY_PEM_MAX, PART_PEM},
        {AGENT_CHAIN_MAX, PART_PEM}}},
    [AGENT_WITHDRAW] = {AGENT_TO_RELAY, 1, false, 1, {
        {AGENT_NAME_MAX, PART_TEXT}}},
    [AGENT_CERTIFICATE] = {AGENT_TO_RELAY, AGENT_SOURCE_COUNT, true, 3, {
        {AGENT_NAME_MAX, PART_TEXT}, {AGENT_KEY_PEM_MAX, PART_PEM},
        {AGENT_CHAIN_MAX, PART_PEM}}},
    [AGENT_FAILURE] = {AGENT_TO_RELAY, AGENT_FAILURE_COUNT, true, 1, {
        {AGENT_TEXT_MAX, PART_LOG}}},
    [AGENT_STATUS] = {AGENT_TO_RELAY, AGENT_STATE_COUNT, true, 0, {{0}}},
    [AGENT_PRESENTED] = {AGENT_TO_AGENT, 1, false, 1, {
        {AGENT_NAME_MAX, PART_TEXT}}},
    [AGENT_RENEW] = {AGENT_TO_AGENT, 1, false, 0, {{0}}},
    [AGENT_STOP] = {AGENT_TO_AGENT, 1, false, 0, {{0}}},
};
/* clang-format on */

_Static_assert(
    ARRAY_LEN(rules) == AGENT_TYPE_COUNT, "every enum agent_type needs a row");

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool may_hold(enum part_class class, uint8_t c)
{
    if (class == PART_LOG)
        return true;
    if (class == PART_PEM && (c == ' ' || c == '\n' || c == '\r'))
        return true;
    return c > ' ' && c < 0x7f;
}

static bool part_is_legal(const struct part_rule *rule, struct span part)
{
    if (part.len == 0 || part.len > rule->len_max)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        if (!may_hold(rule->class, part.ptr[i]))
            return false;
    }
    return true;
}

/* The largest body of a type. */
static size_t body_max(const struct rule *rule)
{
    size_t sum = 0;

    for (size_t i = 0; i < rule->part_count; i++)
        sum += PART_HEAD_LEN + (size_t)rule->parts[i].len_max;
    return sum;
}

/* The body is exactly the parts that the rule asks for. */
static bool parse_parts(
    const struct rule *rule, struct span body, struct agent_message *m)
{
    for (size_t i = 0; i < rule->part_count; i++) {
        uint32_t len = 0;

        if (body.len < PART_HEAD_LEN)
            return false;
        len = read_u32(body.ptr);
        body = span_from(body, PART_HEAD_LEN);
        if (len > body.len)
            return false;
        m->parts[i] = span_of(body.ptr, len);
        if (!part_is_legal(&rule->parts[i], m->parts[i]))
            return false;
        body = span_from(body, len);
    }
    return body.len == 0;
}

/* Judge the head as far as it has come; the rule of its type. */
static const struct rule *judge_head(
    struct span in, enum agent_direction direction)
{
    const struct rule *rule = NULL;

    if (in.ptr[0] != CODEC_VERSION)
        return NULL;
    if (in.len <= AT_TYPE)
        return &rules[0];
    if (in.ptr[AT_TYPE] >= AGENT_TYPE_COUNT)
        return NULL;
    rule = &rules[in.ptr[AT_TYPE]];
    if (rule->direction != direction)
        return NULL;
    if (in.len > AT_KIND && in.ptr[AT_KIND] >= rule->kind_count)
        return NULL;
    return in.len > AT_ZERO && in.ptr[AT_ZERO] != 0 ? NULL : rule;
}

enum agent_message_status agent_message_parse(
    struct span in, enum agent_direction direction, struct agent_message *ret)
{
    const struct rule *rule = NULL;
    struct agent_message m = {.kind = 0};
    size_t body_len = 0;

    if (in.len == 0)
        return AGENT_MESSAGE_MORE;
    rule = judge_head(in, direction);
    if (rule == NULL)
        return AGENT_MESSAGE_BAD;
    if (in.len < AGENT_HEAD_LEN)
        return AGENT_MESSAGE_MORE;
    body_len = read_u32(in.ptr + AT_BODY_LEN);
    m.type = (enum agent_type)in.ptr[AT_TYPE];
    m.kind = in.ptr[AT_KIND];
    m.when_s = (uint64_t)read_u32(in.ptr + AT_WHEN) << 32 |
               read_u32(in.ptr + AT_WHEN + 4);
    if (body_len > body_max(rule) || (!rule->has_when && m.when_s != 0))
        return AGENT_MESSAGE_BAD;
    if (in.len - AGENT_HEAD_LEN < body_len)
        return AGENT_MESSAGE_MORE;
    if (!parse_parts(rule, span_of(in.ptr + AGENT_HEAD_LEN, body_len), &m))
        return AGENT_MESSAGE_BAD;
    m.len = AGENT_HEAD_LEN + body_len;
    *ret = m;
    return AGENT_MESSAGE_OK;
}

/* Length of the encoded message, 0 if a rule forbids it. */
static size_t encoded_len(const struct agent_message *m)
{
    const struct rule *rule = &rules[m->type];
    size_t len = AGENT_HEAD_LEN;

    if (m->kind >= rule->kind_count || (!rule->has_when && m->when_s != 0))
        return 0;
    for (size_t i = 0; i < rule->part_count; i++) {
        if (!part_is_legal(&rule->parts[i], m->parts[i]))
            return 0;
        len += PART_HEAD_LEN + m->parts[i].len;
    }
    return len;
}

size_t agent_message_encode(
    const struct agent_message *message, uint8_t *ret, size_t cap)
{
    size_t len = 0;
    uint8_t *at = ret + AGENT_HEAD_LEN;

    assert(message->type < AGENT_TYPE_COUNT);
    len = encoded_len(message);
    if (len == 0 || len > cap)
        return 0;
    memset(ret, 0, AGENT_HEAD_LEN);
    ret[0] = CODEC_VERSION;
    ret[AT_TYPE] = (uint8_t)message->type;
    ret[AT_KIND] = message->kind;
    write_u32(ret + AT_BODY_LEN, (uint32_t)(len - AGENT_HEAD_LEN));
    write_u32(ret + AT_WHEN, (uint32_t)(message->when_s >> 32));
    write_u32(ret + AT_WHEN + 4, (uint32_t)message->when_s);
    for (size_t i = 0; i < rules[message->type].part_count; i++) {
        struct span part = message->parts[i];

        write_u32(at, (uint32_t)part.len);
        memcpy(at + PART_HEAD_LEN, part.ptr, part.len);
        at += PART_HEAD_LEN + part.len;
    }
    return len;
}

#define X(name, text) [name] = (text),
static const char *const failure_names[] = {AGENT_FAILURE_LIST(X)};
static const char *const source_names[] = {AGENT_SOURCE_LIST(X)};
static const char *const state_names[] = {AGENT_STATE_LIST(X)};
#undef X

const char *agent_failure_name(enum agent_failure failure)
{
    assert(failure < ARRAY_LEN(failure_names));
    return failure_names[failure];
}

const char *agent_source_name(enum agent_source source)
{
    assert(source < ARRAY_LEN(source_names));
    return source_names[source];
}

const char *agent_state_name(enum agent_state state)
{
    assert(state < ARRAY_LEN(state_names));
    return state_names[state];
}
