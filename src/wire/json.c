#include "wire/json.h"

#include <assert.h>

#include "base/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A cursor over the text.  A failed step leaves at somewhere inside. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool wide; /* a byte above 0x7f was seen in a string */
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' ||
                                 *c->at == '\n' || *c->at == '\r'))
        c->at++;
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
    size_t left = (size_t)(c->end - c->at);

    if (left < 2)
        return false;
    if (c->at[1] != 'u') {
        if (memchr(escapes, c->at[1], sizeof(escapes) - 1) == NULL)
            return false;
        c->at += 2;
        return true;
    }
    if (left < 6)
        return false;
    for (size_t i = 2; i < 6; i++) {
        if (!is_hex(c->at[i]))
            return false;
    }
    c->at += 6;
    return true;
}

#ifdef __SSE2__
/* Skip 16 bytes at a time while none of them ends or breaks a string. */
static void skip_plain(struct cursor *c)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);

    while (c->end - c->at >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)c->at);
        __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                           _mm_cmpeq_epi8(v, backslash)),
            _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));

        if (_mm_movemask_epi8(special) != 0)
            return;
        c->wide |= _mm_movemask_epi8(v) != 0;
        c->at += 16;
    }
}
#else
static void skip_plain(struct cursor *c)
{
    (void)c;
}
#endif

/* Behind the opening quote; ends behind the closing one. */
static bool skip_string(struct cursor *c)
{
    for (;;) {
        skip_plain(c);
        while (
            c->at < c->end && *c->at != '"' && *c->at != '\\' && *c->at >= 0x20)
            c->wide |= *c->at++ >= 0x80;
        if (c->at == c->end || *c->at < 0x20)
            return false;
        if (*c->at == '"') {
            c->at++;
            return true;
        }
        if (!skip_escape(c))
            return false;
    }
}

static size_t skip_digits(struct cursor *c)
{
    const uint8_t *start = c->at;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return (size_t)(c->at - start);
}

static bool skip_number(struct cursor *c)
{
    if (c->at < c->end && *c->at == '-')
        c->at++;
    if (c->at < c->end && *c->at == '0') {
        c->at++;
    } else if (skip_digits(c) == 0) {
        return false;
    }
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (skip_digits(c) == 0)
            return false;
    }
    if (c->at < c->end && (*c->at | 0x20) == 'e') {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
            c->at++;
        return skip_digits(c) > 0;
    }
    return true;
}

static bool skip_word(struct cursor *c, const char *word, size_t len)
{
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return false;
    c->at += len;
    return true;
}

static bool skip_scalar(struct cursor *c)
{
    switch (*c->at) {
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

/* One bit a level: is it an object? */
struct nesting {
    uint64_t objects[(JSON_DEPTH_MAX + 63) / 64];
    size_t depth;
};

static bool open_level(struct nesting *n, bool object)
{
    uint64_t bit = 0;

    if (n->depth == JSON_DEPTH_MAX)
        return false;
    bit = UINT64_C(1) << (n->depth % 64);
    if (object) {
        n->objects[n->depth / 64] |= bit;
    } else {
        n->objects[n->depth / 64] &= ~bit;
    }
    n->depth++;
    return true;
}

static bool in_object(const struct nesting *n)
{
    size_t level = n->depth - 1;

    return (n->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* A member's name and its colon; ends at the value. */
static bool skip_name(struct cursor *c)
{
    if (c->at == c->end || *c->at != '"')
        return false;
    c->at++;
    if (!skip_string(c))
        return false;
    skip_space(c);
    if (c->at == c->end || *c->at != ':')
        return false;
    c->at++;
    skip_space(c);
    return true;
}

/* At a value.  Opens levels down to its first scalar or empty container, and
 * skips that. */
static bool descend(struct cursor *c, struct nesting *n)
{
    while (c->at < c->end && (*c->at == '{' || *c->at == '[')) {
        bool object = *c->at == '{';

        c->at++;
        skip_space(c);
        if (c->at < c->end && *c->at == (object ? '}' : ']')) {
            c->at++;
            return n->depth < JSON_DEPTH_MAX;
        }
        if (!open_level(n, object) || (object && !skip_name(c)))
            return false;
    }
    return c->at < c->end && skip_scalar(c);
}

/* Behind a value.  Closes levels; true with *ret_more set: at the next value.
 */
static bool ascend(struct cursor *c, struct nesting *n, bool *ret_more)
{
    while (n->depth > 0) {
        bool object = in_object(n);

        skip_space(c);
        if (c->at == c->end)
            return false;
        if (*c->at == ',') {
            c->at++;
            skip_space(c);
            *ret_more = true;
            return !object || skip_name(c);
        }
        if (*c->at != (object ? '}' : ']'))
            return false;
        c->at++;
        n->depth--;
    }
    *ret_more = false;
    return true;
}

/* At a value; ends behind it. */
static bool skip_value(struct cursor *c)
{
    struct nesting nesting = {.depth = 0};
    bool more = true;

    while (more) {
        if (!descend(c, &nesting) || !ascend(c, &nesting, &more))
            return false;
    }
    return true;
}

static struct cursor cursor_over(struct span in)
{
    return (struct cursor){.at = in.ptr, .end = in.ptr + in.len};
}

bool json_valid(struct span in)
{
    struct cursor c;

    if (in.len == 0)
        return false;
    c = cursor_over(in);
    skip_space(&c);
    if (c.at == c.end || !skip_value(&c))
        return false;
    skip_space(&c);
    return c.at == c.end && (!c.wide || utf8_valid(in));
}

bool json_object_begin(struct span in, struct json_object *ret)
{
    struct cursor c;

    if (in.len == 0)
        return false;
    c = cursor_over(in);
    skip_space(&c);
    if (c.at == c.end || *c.at != '{')
        return false;
    c.at++;
    *ret = (struct json_object){
        .rest = span_of(c.at, (size_t)(c.end - c.at)),
        .first = true,
    };
    return true;
}

/* Behind the object's closing brace. */
static enum json_step end_object(struct cursor *c)
{
    c->at++;
    skip_space(c);
    return c->at == c->end ? JSON_END : JSON_MALFORMED;
}

enum json_step json_object_next(struct json_object *o, struct json_member *ret)
{
    struct cursor c = cursor_over(o->rest);
    const uint8_t *name = NULL;
    const uint8_t *name_end = NULL;
    const uint8_t *value = NULL;

    skip_space(&c);
    if (c.at < c.end && *c.at == '}')
        return end_object(&c);
    if (!o->first) {
        if (c.at == c.end || *c.at != ',')
            return JSON_MALFORMED;
        c.at++;
        skip_space(&c);
    }
    if (c.at == c.end || *c.at != '"')
        return JSON_MALFORMED;
    name = ++c.at;
    if (!skip_string(&c))
        return JSON_MALFORMED;
    name_end = c.at - 1;
    skip_space(&c);
    if (c.at == c.end || *c.at != ':')
        return JSON_MALFORMED;
    c.at++;
    skip_space(&c);
    value = c.at;
    if (c.at == c.end || !skip_value(&c))
        return JSON_MALFORMED;
    if (c.wide && !utf8_valid(span_of(name, (size_t)(c.at - name))))
        return JSON_MALFORMED;
    *ret = (struct json_member){
        .name = span_of(name, (size_t)(name_end - name)),
        .value = span_of(value, (size_t)(c.at - value)),
    };
    o->rest = span_of(c.at, (size_t)(c.end - c.at));
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

/* The character at *at, of one byte if it is not escaped; its length. */
static size_t next_plain(
    struct span escaped, size_t *at, uint8_t out[CHARACTER_MAX])
{
    size_t len = 1;

    out[0] = escaped.ptr[*at];
    if (out[0] == '\\') {
        *at += unescape(span_from(escaped, *at), out, &len);
    } else {
        *at += 1;
    }
    return len;
}

static bool text_equals(struct span escaped, struct span plain, bool fold)
{
    size_t at = 0;
    size_t have = 0;

    while (at < escaped.len) {
        uint8_t out[CHARACTER_MAX];
        size_t len = next_plain(escaped, &at, out);

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
    return text_equals(escaped, plain, false);
}

bool json_text_equals_fold(struct span escaped, struct span plain)
{
    return text_equals(escaped, plain, true);
}

/* The three bytes of a lone surrogate become those of U+FFFD. */
static void mend_surrogate(uint8_t out[CHARACTER_MAX], size_t len)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};

    if (len == sizeof(replacement) && out[0] == 0xed && out[1] >= 0xa0)
        memcpy(out, replacement, sizeof(replacement));
}

size_t json_unescape(struct span escaped, uint8_t *ret, size_t cap)
{
    size_t at = 0;
    size_t need = 0;

    while (at < escaped.len) {
        uint8_t out[CHARACTER_MAX];
        size_t len = next_plain(escaped, &at, out);

        mend_surrogate(out, len);
        if (need <= cap && len <= cap - need)
            memcpy(ret + need, out, len);
        need += len;
    }
    return need;
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
