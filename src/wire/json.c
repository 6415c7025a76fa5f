#include "wire/json.h"

#include <assert.h>

#include "base/utf8.h"
#include "wire/json_run.h"

/* What is scanned.  Passed by value, so that it stays in registers. */
struct text {
    const uint8_t *begin;
    const uint8_t *end;
};

/* Each step takes where it begins, and returns where it ended; NULL: the text
 * is no JSON.  *wide becomes true at a byte above 0x7f in a string. */

static struct text text_of(struct span in)
{
    return (struct text){.begin = in.ptr, .end = in.ptr + in.len};
}

/* The byte at that place, 0 at the end: no byte of a JSON text is. */
static inline uint8_t peek(struct text t, const uint8_t *at)
{
    return at == t.end ? 0 : *at;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const uint8_t *skip_space(struct text t, const uint8_t *at)
{
    while (at < t.end && is_space(*at))
        at++;
    return at;
}

/* The next byte that is no white space, and *at there; 0 at the end.  Most
 * texts have no white space: one comparison tells. */
ALWAYS_INLINE static inline uint8_t look(struct text t, const uint8_t **at)
{
    uint8_t c = peek(t, *at);

    if (c > ' ')
        return c;
    *at = skip_space(t, *at);
    return peek(t, *at);
}

static bool is_hex(uint8_t c)
{
    uint8_t lower = c | 0x20;

    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
}

/* At a backslash. */
static const uint8_t *skip_escape(struct text t, const uint8_t *at)
{
    static const char escapes[] = "\"\\/bfnrt";
    size_t left = (size_t)(t.end - at);

    if (left < 2)
        return NULL;
    if (at[1] != 'u') {
        bool known = memchr(escapes, at[1], sizeof(escapes) - 1) != NULL;

        return known ? at + 2 : NULL;
    }
    if (left < 6)
        return NULL;
    for (size_t i = 2; i < 6; i++) {
        if (!is_hex(at[i]))
            return NULL;
    }
    return at + 6;
}

static const uint8_t *skip_long_string(
    struct text t, const uint8_t *at, bool *wide)
{
    struct span in = span_of(t.begin, (size_t)(t.end - t.begin));

    for (;;) {
        at = in.ptr + json_run(in, (size_t)(at - in.ptr), wide);
        if (peek(t, at) == '"')
            return at + 1;
        if (peek(t, at) != '\\')
            return NULL;
        at = skip_escape(t, at);
        if (at == NULL)
            return NULL;
    }
}

/* Behind the opening quote; ends behind the closing one.  Most strings are
 * names and numbers of a few characters, all of it in one block or two. */
ALWAYS_INLINE static inline const uint8_t *skip_string(
    struct text t, const uint8_t *at, bool *wide)
{
#ifdef __x86_64__
    for (int blocks = 2; blocks > 0 && t.end - at >= 16; blocks--) {
        struct json_block block = json_block_16(at);
        size_t len = 0;

        if (!json_block_ends(block, &len, wide)) {
            at += 16;
        } else if (at[len] == '"') {
            return at + len + 1;
        } else {
            break;
        }
    }
#endif
    return skip_long_string(t, at, wide);
}

/* One or more. */
static const uint8_t *skip_digits(struct text t, const uint8_t *at)
{
    const uint8_t *start = at;

    while (at < t.end && *at >= '0' && *at <= '9')
        at++;
    return at > start ? at : NULL;
}

/* At the 'e'. */
static const uint8_t *skip_exponent(struct text t, const uint8_t *at)
{
    at++;
    if (peek(t, at) == '+' || peek(t, at) == '-')
        at++;
    return skip_digits(t, at);
}

static const uint8_t *skip_number(struct text t, const uint8_t *at)
{
    if (peek(t, at) == '-')
        at++;
    at = peek(t, at) == '0' ? at + 1 : skip_digits(t, at);
    if (at != NULL && peek(t, at) == '.')
        at = skip_digits(t, at + 1);
    if (at != NULL && (peek(t, at) | 0x20) == 'e')
        at = skip_exponent(t, at);
    return at;
}

static const uint8_t *skip_word(
    struct text t, const uint8_t *at, const char *word, size_t len)
{
    if ((size_t)(t.end - at) < len || memcmp(at, word, len) != 0)
        return NULL;
    return at + len;
}

static const uint8_t *skip_bare(struct text t, const uint8_t *at)
{
    switch (peek(t, at)) {
    case 't':
        return skip_word(t, at, "true", 4);
    case 'f':
        return skip_word(t, at, "false", 5);
    case 'n':
        return skip_word(t, at, "null", 4);
    default:
        return skip_number(t, at);
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
    uint64_t bit = UINT64_C(1) << (n->depth % 64);
    uint64_t *word = &n->outer[n->depth / 64];

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

/* At the opening quote of a member's name; ends behind the colon. */
ALWAYS_INLINE static inline const uint8_t *skip_name(
    struct text t, const uint8_t *at, bool *wide)
{
    at = skip_string(t, at + 1, wide);
    if (at == NULL || look(t, &at) != ':')
        return NULL;
    return at + 1;
}

/* At a container; ends inside it, before its first value, or at its end:
 * *ret_empty. */
ALWAYS_INLINE static inline const uint8_t *enter(struct text t,
    const uint8_t *at, struct nesting *n, bool *wide, bool *ret_empty)
{
    bool object = *at == '{';
    uint8_t c = 0;

    at++;
    c = look(t, &at);
    *ret_empty = c == (object ? '}' : ']');
    if (!open_level(n, object))
        return NULL;
    if (*ret_empty || !object)
        return at;
    return c == '"' ? skip_name(t, at, wide) : NULL;
}

/* Behind a value, or at the end of a container.  Closes levels; with levels
 * left, ends before the next value. */
ALWAYS_INLINE static inline const uint8_t *leave(
    struct text t, const uint8_t *at, struct nesting *n, bool *wide)
{
    while (n->depth > 0) {
        uint8_t c = look(t, &at);

        at++;
        if (c == ',') {
            if (!n->in_object)
                return at;
            return look(t, &at) == '"' ? skip_name(t, at, wide) : NULL;
        }
        if (c != (n->in_object ? '}' : ']'))
            return NULL;
        close_level(n);
    }
    return at;
}

/* Before a value; ends behind it. */
static const uint8_t *skip_value(struct text t, const uint8_t *at, bool *wide)
{
    UNINITIALIZED struct nesting nesting;

    nesting.depth = 0;
    nesting.in_object = false;
    do {
        uint8_t c = look(t, &at);
        bool inside = false; /* a container, and before its first value */

        if (c == '"') {
            at = skip_string(t, at + 1, wide);
        } else if (c == '{' || c == '[') {
            bool empty = false;

            at = enter(t, at, &nesting, wide, &empty);
            inside = !empty;
        } else {
            at = skip_bare(t, at);
        }
        if (at != NULL && !inside)
            at = leave(t, at, &nesting, wide);
    } while (at != NULL && nesting.depth > 0);
    return at;
}

/* Is what stands there between well-formed?  Most texts are ASCII. */
static bool are_characters(bool wide, const uint8_t *from, const uint8_t *to)
{
    return !wide || utf8_valid(span_of(from, (size_t)(to - from)));
}

bool json_value(struct span in, struct span *ret_value, struct span *ret_rest)
{
    struct text t = text_of(in);
    bool wide = false;
    const uint8_t *from = skip_space(t, t.begin);
    const uint8_t *to = skip_value(t, from, &wide);

    if (to == NULL || !are_characters(wide, from, to))
        return false;
    *ret_value = span_of(from, (size_t)(to - from));
    to = skip_space(t, to);
    *ret_rest = span_of(to, (size_t)(t.end - to));
    return true;
}

bool json_valid(struct span in)
{
    struct text t = text_of(in);
    bool wide = false;
    const uint8_t *end = skip_value(t, t.begin, &wide);

    return end != NULL && skip_space(t, end) == t.end &&
           are_characters(wide, t.begin, end);
}

bool json_object_begin(struct span in, struct json_object *ret)
{
    struct text t = text_of(in);
    const uint8_t *at = skip_space(t, t.begin);

    if (peek(t, at) != '{')
        return false;
    at++;
    *ret = (struct json_object){
        .rest = span_of(at, (size_t)(t.end - at)),
        .first = true,
    };
    return true;
}

/* At a member; ends behind it. */
static const uint8_t *take_member(
    struct text t, const uint8_t *at, struct json_member *ret)
{
    bool wide = false;
    const uint8_t *name = at + 1;
    const uint8_t *name_end = NULL;
    const uint8_t *value = NULL;
    const uint8_t *end = NULL;

    if (peek(t, at) == '"')
        name_end = skip_string(t, name, &wide);
    if (name_end == NULL)
        return NULL;
    value = skip_space(t, name_end);
    if (peek(t, value) != ':')
        return NULL;
    value = skip_space(t, value + 1);
    end = skip_value(t, value, &wide);
    if (end == NULL || !are_characters(wide, at, end))
        return NULL;
    ret->name = span_of(name, (size_t)(name_end - 1 - name));
    ret->value = span_of(value, (size_t)(end - value));
    return end;
}

enum json_step json_object_next(struct json_object *o, struct json_member *ret)
{
    struct text t = text_of(o->rest);
    const uint8_t *at = skip_space(t, t.begin);
    struct json_member member;

    if (peek(t, at) == '}')
        return skip_space(t, at + 1) == t.end ? JSON_END : JSON_MALFORMED;
    if (!o->first) {
        if (peek(t, at) != ',')
            return JSON_MALFORMED;
        at = skip_space(t, at + 1);
    }
    at = take_member(t, at, &member);
    if (at == NULL)
        return JSON_MALFORMED;
    *ret = member;
    o->rest = span_of(at, (size_t)(t.end - at));
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
    if (escaped.len > 0 && memchr(escaped.ptr, '\\', escaped.len) == NULL)
        return span_eq(escaped, plain);
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
