#include "wire/take_over_message.h"

#include <assert.h>

/* The head: format, type, refusal, length of the version; then the version
 * and the kinds, to the end. */
enum {
    FORMAT = 1,
    AT_TYPE = 1,
    AT_REFUSAL = 2,
    AT_VERSION_LEN = 3,
    HEAD_LEN = 4,
};

/* clang-format off */
static const struct rule {
    enum take_over_direction direction;
    bool has_version;
    bool has_kinds;
    uint8_t refusal_count; /* those below it are legal; 1: it has none */
} rules[] = {
    [TAKE_OVER_ASK] =     {TAKE_OVER_TO_GIVER, true,  false, 1},
    [TAKE_OVER_READY] =   {TAKE_OVER_TO_GIVER, false, false, 1},
    [TAKE_OVER_OFFER] =   {TAKE_OVER_TO_TAKER, true,  true,  1},
    [TAKE_OVER_YIELDED] = {TAKE_OVER_TO_TAKER, false, false, 1},
    [TAKE_OVER_REFUSED] = {TAKE_OVER_TO_TAKER, false, false,
        TAKE_OVER_REFUSAL_COUNT},
};
/* clang-format on */

_Static_assert(ARRAY_LEN(rules) == TAKE_OVER_TYPE_COUNT,
    "every enum take_over_type needs a row");

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f)
            return false;
    }
    return true;
}

static bool version_is_legal(const struct rule *rule, struct span version)
{
    if (!rule->has_version)
        return version.len == 0;
    return version.len > 0 && version.len <= TAKE_OVER_VERSION_MAX &&
           is_printable(version);
}

/* In order, and of each as many as there may be. */
static bool kinds_are_legal(const struct rule *rule, struct span kinds)
{
    size_t counts[TAKE_OVER_KIND_COUNT] = {0};

    if (!rule->has_kinds)
        return kinds.len == 0;
    for (size_t i = 0; i < kinds.len; i++) {
        uint8_t kind = kinds.ptr[i];

        if (kind >= TAKE_OVER_KIND_COUNT || (i > 0 && kind < kinds.ptr[i - 1]))
            return false;
        counts[kind]++;
    }
    return counts[TAKE_OVER_PUBLIC] > 0 &&
           counts[TAKE_OVER_PUBLIC] <= TAKE_OVER_PUBLIC_MAX &&
           counts[TAKE_OVER_METRICS] <= 1 &&
           counts[TAKE_OVER_CHALLENGES] <= 1 && counts[TAKE_OVER_PATH] == 1 &&
           counts[TAKE_OVER_LOCK] <= 1;
}

static bool is_legal(const struct take_over_message *m)
{
    const struct rule *rule = &rules[m->type];

    return (unsigned)m->refusal < rule->refusal_count &&
           version_is_legal(rule, m->version) &&
           kinds_are_legal(rule, m->kinds);
}

enum take_over_status take_over_message_parse(struct span in,
    enum take_over_direction direction, struct take_over_message *ret)
{
    struct take_over_message m = {.type = TAKE_OVER_ASK};
    size_t version_len = 0;

    if (in.len > 0 && in.ptr[0] != FORMAT)
        return TAKE_OVER_OTHER_FORMAT;
    if (in.len < HEAD_LEN || in.ptr[AT_TYPE] >= TAKE_OVER_TYPE_COUNT)
        return TAKE_OVER_BAD;
    version_len = in.ptr[AT_VERSION_LEN];
    if (version_len > in.len - HEAD_LEN)
        return TAKE_OVER_BAD;
    m.type = (enum take_over_type)in.ptr[AT_TYPE];
    m.refusal = (enum take_over_refusal)in.ptr[AT_REFUSAL];
    m.version = span_of(in.ptr + HEAD_LEN, version_len);
    m.kinds = span_from(in, HEAD_LEN + version_len);
    if (rules[m.type].direction != direction || !is_legal(&m))
        return TAKE_OVER_BAD;
    *ret = m;
    return TAKE_OVER_OK;
}

size_t take_over_message_encode(
    const struct take_over_message *message, uint8_t *ret)
{
    struct span version = message->version;
    struct span kinds = message->kinds;

    assert(message->type < TAKE_OVER_TYPE_COUNT);
    if (!is_legal(message))
        return 0;
    ret[0] = FORMAT;
    ret[AT_TYPE] = (uint8_t)message->type;
    ret[AT_REFUSAL] = (uint8_t)message->refusal;
    ret[AT_VERSION_LEN] = (uint8_t)version.len;
    if (version.len > 0)
        memcpy(ret + HEAD_LEN, version.ptr, version.len);
    if (kinds.len > 0)
        memcpy(ret + HEAD_LEN + version.len, kinds.ptr, kinds.len);
    return HEAD_LEN + version.len + kinds.len;
}

#define X(name, text) [name] = (text),
static const char *const refusals[] = {TAKE_OVER_REFUSAL_LIST(X)};
#undef X

const char *take_over_refusal_text(enum take_over_refusal refusal)
{
    assert(refusal < ARRAY_LEN(refusals));
    return refusals[refusal];
}
