#include "wire/push_wake.h"

#include <assert.h>

#include "wire/json.h"

static const char *const texts[] = {
#define X(name, text) [name] = (text),
    PUSH_WAKE_STATUS_LIST(X)
#undef X
};

/* Texts between their quotes, still escaped. */
struct members {
    struct span platform;
    struct span token;
};

/* False: a member that is to be a string is something else. */
static bool take_member(struct members *m, const struct json_member *member)
{
    struct span *to = NULL;

    if (json_text_equals_fold(member->name, span_str("platform"))) {
        to = &m->platform;
    } else if (json_text_equals_fold(member->name, span_str("token"))) {
        to = &m->token;
    }
    if (to == NULL || json_is_null(member->value))
        return true;
    if (!json_is_string(member->value))
        return false;
    *to = span_of(member->value.ptr + 1, member->value.len - 2);
    return true;
}

static bool read_members(struct span value, struct members *m)
{
    struct json_object object;
    struct json_member member;
    enum json_step step = JSON_MEMBER;

    if (!json_object_begin(value, &object))
        return false;
    while ((step = json_object_next(&object, &member)) == JSON_MEMBER) {
        if (!take_member(m, &member))
            return false;
    }
    return step == JSON_END;
}

enum push_wake_status push_wake_parse(
    struct span value, uint8_t buf[PUSH_TOKEN_MAX], struct span *ret)
{
    struct members m = {.platform = {.len = 0}};
    size_t len = 0;

    if (!read_members(value, &m))
        return PUSH_WAKE_MALFORMED;
    if (!json_text_equals(m.platform, span_str("fcm")))
        return PUSH_WAKE_BAD_PLATFORM;
    if (m.token.len == 0)
        return PUSH_WAKE_NO_TOKEN;
    len = json_unescape(m.token, buf, PUSH_TOKEN_MAX);
    if (len > PUSH_TOKEN_MAX)
        return PUSH_WAKE_LONG_TOKEN;
    *ret = span_of(buf, len);
    return PUSH_WAKE_OK;
}

const char *push_wake_text(enum push_wake_status status)
{
    assert(status < ARRAY_LEN(texts));
    return texts[status];
}
