#include "wire/json.h"

#include <assert.h>

#include "base/utf8.h"
#include "wire/json_run.h"

/* A cursor over the text.  A failed step leaves at somewhere inside. */
struct cursor {
    struct span text;
    size_t at;
    bool wide;    /* a byte above 0x7f was seen in a string */
    bool escaped; /* the last string holds an escape */
};

static bool has_ended(const struct cursor *c)
{
    return c->at == c->text.len;
}

/* The byte at the cursor, 0 at the end: no byte of a JSON text is. */
static uint8_t peek(const struct cursor *c)
{
    return has_ended(c) ? 0 : c->text.ptr[c->at];
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct cursor *c)
{
    /* Most texts have none: one comparison tells. */
    while (c->at < c->text.len && c->text.ptr[c->at] <= ' ' &&
           is_space(c->text.ptr[c->at]))
        c->at++;
}

/* One byte, if it is the next. */
static bool skip_byte(struct cursor *c, uint8_t byte)
{
    if (peek(c) != byte)
        return false;
    c->at++;
    return true;
}

static bool is_hex(uint8_t c)
{
    uint8_t lower = c | 0x20;

    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
}

/* At a backslash. */
static bool skip_escape(struct cursor *c)
{
    static const char escapes[] = "\"\\/bfnrt";
    struct span rest = span_from(c->text, c->at);

    if (rest.len < 2)
        return false;
    if (rest.ptr[1] != 'u') {
        c->at += 2;
        return memchr(escapes, rest.ptr[1], sizeof(escapes) - 1) != NULL;
    }
    if (rest.len < 6)
        return false;
    for (size_t i = 2; i < 6; i++) {
        if (!is_hex(rest.ptr[i]))
            return false;
    }
    c->at += 6;
    return true;
}

/* Behind the opening quote; ends behind the closing one. */
static bool skip_string(struct cursor *c)
{
    c->escaped = false;
    for (;;) {
        c->at = json_run(c->text, c->at, &c->wide);
        if (skip_byte(c, '"'))
            return true;
        if (peek(c) != '\\' || !skip_escape(c))
            return false;
        c->escaped = true;
    }
}

static bool skip_digits(struct cursor *c)
{
    size_t start = c->at;

    while (peek(c) >= '0' && peek(c) <= '9')
        c->at++;
    return c->at > start;
}

static bool skip_number(struct cursor *c)
{
    (void)skip_byte(c, '-');
    if (!skip_byte(c, '0') && !skip_digits(c))
        return false;
    if (skip_byte(c, '.') && !skip_digits(c))
        return false;
    if ((peek(c) | 0x20) == 'e') {
        c->at++;
        if (!skip_byte(c, '+'))
            (void)skip_byte(c, '-');
        return skip_digits(c);
    }
    return true;
}

static bool skip_word(struct cursor *c, const char *word, size_t len)
{
    if (c->text.len - c->at < len ||
        memcmp(c->text.ptr + c->at, word, len) != 0)
        return false;
    c->at += len;
    return true;
}

static bool skip_scalar(struct cursor *c)
{
    switch (peek(c)) {
    case '"':
        c->at++;
        return skip_string(c);
    case 't':
        return skip_word(c, "true", 4);
    case 'f':
        return skip_word(c, "false", 5);
    case 'n':
        return skip_word(c, "null", 4);
    default:
        return skip_number(c);
    }
}

/* The levels that are open: what the innermost is, and of each around it one
 * bit: is it an object? */
struct nesting {
    size_t depth;
    bool in_object;
    uint64_t outer[(JSON_DEPTH_MAX + 63) / 64];
};

static bool open_level(struct nesting *n, bool object)
{
    uint64_t *word = &n->outer[n->depth / 64];
    uint64_t bit = UINT64_C(1) << (n->depth % 64);

    if (n->depth == JSON_DEPTH_MAX)
        return false;
    if (bit == 1)
        *word = 0; /* its other bits are of levels that are yet to come */
    *word = n->in_object ? *word | bit : *word & ~bit;
    n->in_object = object;
    n->depth++;
    return true;
}

static void close_level(struct nesting *n)
{
    n->depth--;
    n->in_object = (n->outer[n->depth / 64] >> (n->depth % 64) & 1) != 0;
}

/* A member's name and its colon; ends at the value. */
static bool skip_name(struct cursor *c)
{
    if (!skip_byte(c, '"') || !skip_string(c))
        return false;
    skip_space(c);
    if (!skip_byte(c, ':'))
        return false;
    skip_space(c);
    return true;
}

/* At a value.  Opens levels down to its first scalar or empty container, and
 * skips that. */
static bool descend(struct cursor *c, struct nesting *n)
{
    while (peek(c) == '{' || peek(c) == '[') {
        bool object = peek(c) == '{';

        c->at++;
        skip_space(c);
        if (skip_byte(c, object ? '}' : ']'))
            return n->depth < JSON_DEPTH_MAX;
        if (!open_level(n, object) || (object && !skip_name(c)))
            return false;
    }
    return skip_scalar(c);
}

/* Behind a value.  Closes levels; true with *ret_more set: at the next value.
 */
static bool ascend(struct cursor *c, struct nesting *n, bool *ret_more)
{
    while (n->depth > 0) {
        skip_space(c);
        if (skip_byte(c, ',')) {
            skip_space(c);
            *ret_more = true;
            return !n->in_object || skip_name(c);
        }
        if (!skip_byte(c, n->in_object ? '}' : ']'))
            return false;
        close_level(n);
    }
    *ret_more = false;
    return true;
}

/* At a value; ends behind it. */
static bool skip_value(struct cursor *c)
{
    UNINITIALIZED struct nesting nesting;
    bool more = true;

    nesting.depth = 0;
    nesting.in_object = false;
    while (more) {
        if (!descend(c, &nesting) || !ascend(c, &nesting, &more))
            return false;
    }
    return true;
}

bool json_valid(struct span in)
{
    struct cursor c = {.text = in};

    skip_space(&c);
    if (!skip_value(&c))
        return false;
    skip_space(&c);
    return has_ended(&c) && (!c.wide || utf8_valid(in));
}

bool json_object_begin(struct span in, struct json_object *ret)
{
    struct cursor c = {.text = in};

    skip_space(&c);
    if (!skip_byte(&c, '{'))
        return false;
    *ret = (struct json_object){.text = in, .at = c.at, .first = true};
    return true;
}

/* Behind the object's closing brace. */
static enum json_step end_object(struct cursor *c)
{
    skip_space(c);
    return has_ended(c) ? JSON_END : JSON_MALFORMED;
}

enum json_step json_object_next(struct json_object *o, struct json_member *ret)
{
    struct cursor c = {.text = o->text, .at = o->at};
    const uint8_t *text = o->text.ptr;
    struct json_member member;
    size_t name = 0;
    size_t value = 0;

    skip_space(&c);
    if (skip_byte(&c, '}'))
        return end_object(&c);
    if (!o->first) {
        if (!skip_byte(&c, ','))
            return JSON_MALFORMED;
        skip_space(&c);
    }
    name = c.at + 1;
    if (!skip_byte(&c, '"') || !skip_string(&c))
        return JSON_MALFORMED;
    member.name = span_of(text + name, c.at - 1 - name);
    member.escaped = c.escaped;
    skip_space(&c);
    if (!skip_byte(&c, ':'))
        return JSON_MALFORMED;
    skip_space(&c);
    value = c.at;
    if (!skip_value(&c))
        return JSON_MALFORMED;
    if (c.wide && !utf8_valid(span_of(text + name, c.at - name)))
        return JSON_MALFORMED;
    member.value = span_of(text + value, c.at - value);
    *ret = member;
    o->at = c.at;
    o->first = false;
    return JSON_MEMBER;
}

bool json_is_string(struct span value)
{
    return value.len > 0 && value.ptr[0] == '"';
}

bool json_is_null(struct span value)
{
    return value.len == 4 && value.ptr[0] == 'n';
}

static unsigned hex_value(uint8_t c)
{
    return c <= '9' ? (unsigned)c - '0' : ((unsigned)c | 0x20) - 'a' + 10;
}

static uint32_t hex4(const uint8_t *p)
{
    return hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 |
           hex_value(p[3]);
}

enum { CHARACTER_MAX = 4 };

static size_t encode_utf8(uint32_t code, uint8_t out[CHARACTER_MAX])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* The escape at the start of in, and a low surrogate that follows a high one;
 * bytes used.  A lone surrogate becomes three bytes that no valid UTF-8
 * equals. */
static size_t unescape(struct span in, uint8_t out[CHARACTER_MAX], size_t *len)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    const uint8_t *p = in.ptr;
    uint32_t code = 0;

    if (p[1] != 'u') {
        const char *found = memchr(from, p[1], sizeof(from) - 1);

        out[0] = found == NULL ? p[1] : (uint8_t)to[found - from];
        *len = 1;
        return 2;
    }
    code = hex4(p + 2);
    if (code >> 10 == 0x36 && in.len >= 12 && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = hex4(p + 8);

        if (low >> 10 == 0x37) {
            code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
            *len = encode_utf8(code, out);
            return 12;
        }
    }
    *len = encode_utf8(code, out);
    return 6;
}

static uint8_t folded(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool text_equals(struct span escaped, struct span plain, bool fold)
{
    size_t at = 0;
    size_t have = 0;

    while (at < escaped.len) {
        uint8_t out[CHARACTER_MAX];
        size_t len = 1;

        out[0] = escaped.ptr[at];
        if (out[0] == '\\') {
            at += unescape(span_from(escaped, at), out, &len);
        } else {
            at++;
        }
        for (size_t i = 0; i < len; i++, have++) {
            if (have == plain.len)
                return false;
            if (fold ? folded(out[i]) != folded(plain.ptr[have])
                     : out[i] != plain.ptr[have])
                return false;
        }
    }
    return have == plain.len;
}

bool json_text_equals(struct span escaped, struct span plain)
{
    if (escaped.len > 0 && memchr(escaped.ptr, '\\', escaped.len) == NULL)
        return span_eq(escaped, plain);
    return text_equals(escaped, plain, false);
}

bool json_text_equals_fold(struct span escaped, struct span plain)
{
    return text_equals(escaped, plain, true);
}

enum { ESCAPE_MAX = 6 };

static size_t escape_one(uint8_t c, uint8_t out[ESCAPE_MAX])
{
    static const char hex[] = "0123456789abcdef";
    static const uint8_t control[] = {'\\', 'u', '0', '0'};

    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = c;
        return 2;
    }
    if (c >= 0x20) {
        out[0] = c;
        return 1;
    }
    memcpy(out, control, sizeof(control));
    out[4] = (uint8_t)hex[c >> 4];
    out[5] = (uint8_t)hex[c & 0xf];
    return 6;
}

size_t json_escape(struct span plain, uint8_t *ret, size_t cap)
{
    size_t need = 0;

    for (size_t i = 0; i < plain.len; i++) {
        uint8_t out[ESCAPE_MAX];
        size_t len = escape_one(plain.ptr[i], out);

        if (need <= cap && len <= cap - need)
            memcpy(ret + need, out, len);
        need += len;
    }
    return need;
}
