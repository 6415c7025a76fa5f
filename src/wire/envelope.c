#include "wire/envelope.h"

#include <assert.h>

#include "wire/json.h"
#include "wire/ws_message.h"

static const char *const texts[] = {
#define X(name, text) [name] = (text),
    ENVELOPE_STATUS_LIST(X)
#undef X
};

/* What was seen of the members we know; the first fault of each is kept. */
struct members {
    struct envelope envelope;
    bool bad_conn_id;
    bool bad_close_code;
};

static bool parse_code(struct span value, uint16_t *ret)
{
    unsigned code = 0;

    if (value.len > 5)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        code = code * 10 + (value.ptr[i] - (unsigned)'0');
    }
    if (code > UINT16_MAX)
        return false;
    *ret = (uint16_t)code;
    return true;
}

static void take_conn_id(struct members *m, struct span value)
{
    m->envelope.conn_id = span_of(value.ptr, 0);
    if (json_is_string(value)) {
        m->envelope.conn_id = span_of(value.ptr + 1, value.len - 2);
    } else if (!json_is_null(value)) {
        m->bad_conn_id = true;
    }
}

/* An escape makes a name longer; most have none. */
static bool is_named(const struct json_member *member, struct span want)
{
    if (member->name.len < want.len)
        return false;
    return span_eq(member->name, want) ||
           json_text_equals_fold(member->name, want);
}

static void take_member(struct members *m, const struct json_member *member)
{
    struct span value = member->value;

    if (is_named(member, span_str("conn_id"))) {
        take_conn_id(m, value);
    } else if (is_named(member, span_str("frame"))) {
        m->envelope.frame =
            span_of(value.ptr, json_is_null(value) ? 0 : value.len);
    } else if (is_named(member, span_str("close_code"))) {
        if (!json_is_null(value) && !parse_code(value, &m->envelope.close_code))
            m->bad_close_code = true;
    } else if (is_named(member, span_str("push_wake"))) {
        m->envelope.push_wake =
            span_of(value.ptr, json_is_null(value) ? 0 : value.len);
    }
}

static enum envelope_status judge(const struct members *m)
{
    const struct envelope *e = &m->envelope;

    if (m->bad_conn_id)
        return ENVELOPE_BAD_CONN_ID;
    if (m->bad_close_code)
        return ENVELOPE_BAD_CLOSE_CODE;
    if (e->conn_id.len == 0)
        return e->push_wake.len > 0 ? ENVELOPE_PUSH_WAKE : ENVELOPE_NO_CONN_ID;
    if (e->close_code == 0)
        return e->frame.len > 0 ? ENVELOPE_ROUTE : ENVELOPE_NO_FRAME;
    if (!ws_close_may_send(e->close_code))
        return ENVELOPE_ILLEGAL_CLOSE_CODE;
    return ENVELOPE_ROUTE;
}

enum envelope_status envelope_parse(struct span in, struct envelope *ret)
{
    struct members m = {.bad_conn_id = false};
    struct json_object object;
    struct json_member member;
    enum json_step step = JSON_MEMBER;
    enum envelope_status status = ENVELOPE_NOT_OBJECT;

    if (!json_object_begin(in, &object))
        return ENVELOPE_NOT_OBJECT;
    while ((step = json_object_next(&object, &member)) == JSON_MEMBER)
        take_member(&m, &member);
    if (step != JSON_END)
        return ENVELOPE_NOT_OBJECT;
    status = judge(&m);
    if (status == ENVELOPE_ROUTE || status == ENVELOPE_PUSH_WAKE)
        *ret = m.envelope;
    return status;
}

bool envelope_unwrap(struct span in, struct span prefix, struct span *ret_frame)
{
    struct span frame;
    struct span rest;

    if (in.len <= prefix.len || memcmp(in.ptr, prefix.ptr, prefix.len) != 0)
        return false;
    if (!json_value(span_from(in, prefix.len), &frame, &rest) ||
        rest.len != 1 || rest.ptr[0] != '}' || json_is_null(frame))
        return false;
    *ret_frame = frame;
    return true;
}

const char *envelope_text(enum envelope_status status)
{
    assert(status < ARRAY_LEN(texts));
    return texts[status];
}

bool envelope_names(const struct envelope *e, struct span conn_id)
{
    return json_text_equals(e->conn_id, conn_id);
}

/* Append if it fits; the bytes needed so far. */
static size_t put(uint8_t *ret, size_t cap, size_t need, struct span bytes)
{
    if (need <= cap && bytes.len <= cap - need)
        memcpy(ret + need, bytes.ptr, bytes.len);
    return need + bytes.len;
}

static size_t put_conn_id(struct span conn_id, uint8_t *ret, size_t cap)
{
    size_t need = put(ret, cap, 0, span_str("{\"conn_id\":\""));

    if (need <= cap)
        return need + json_escape(conn_id, ret + need, cap - need);
    return need + json_escape(conn_id, ret, 0);
}

size_t envelope_prefix(struct span conn_id, uint8_t *ret, size_t cap)
{
    size_t need = put_conn_id(conn_id, ret, cap);

    return put(ret, cap, need, span_str("\",\"frame\":"));
}

size_t envelope_close_notice(
    struct span conn_id, uint16_t code, uint8_t *ret, size_t cap)
{
    size_t need = put_conn_id(conn_id, ret, cap);
    uint8_t digits[5];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (uint8_t)('0' + code % 10);
        code /= 10;
    } while (code > 0);
    need = put(ret, cap, need, span_str("\",\"close_code\":"));
    need = put(ret, cap, need, span_of(digits + at, sizeof(digits) - at));
    return put(ret, cap, need, span_str("}"));
}
