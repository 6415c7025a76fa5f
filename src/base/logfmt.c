#include "base/logfmt.h"

#include <stdint.h>

#include "base/attr.h"
#include "base/utf8.h"

static bool must_quote(struct span value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len;) {
        uint8_t c = value.ptr[i];
        size_t len = utf8_printable(span_from(value, i));

        if (len == 0 || c == ' ' || c == '"' || c == '=')
            return true;
        i += len;
    }
    return false;
}

enum { UNIT_MAX = 8 }; /* "\x1f" and a NUL, rounded up */

/* How a byte that does not stand for itself is written. */
static const char *escaped(uint8_t c, char unit[UNIT_MAX])
{
    switch (c) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        (void)text_format(unit, UNIT_MAX, "\\x%02x", c);
        return unit;
    }
}

static void add_quoted(struct text *t, struct span value)
{
    text_add_char(t, '"');
    while (value.len > 0) {
        char unit[UNIT_MAX];
        uint8_t c = value.ptr[0];
        size_t len = utf8_printable(value);
        bool escape = len == 0 || c == '"' || c == '\\';
        struct span written =
            escape ? span_str(escaped(c, unit)) : span_of(value.ptr, len);

        if (written.len + 1 > t->cap - 1 - t->len) {
            t->cut = true;
            break;
        }
        text_add(t, written);
        value = span_from(value, escape ? 1 : len);
    }
    text_add_char(t, '"');
}

void logfmt_value(struct text *t, struct span value)
{
    if (must_quote(value)) {
        add_quoted(t, value);
    } else {
        size_t room = t->cap - 1 - t->len;

        text_add(t, span_of(value.ptr, utf8_floor(value, room)));
        if (value.len > room)
            t->cut = true;
    }
}

static void add_key(struct text *t, const char *key)
{
    if (t->len > 0)
        text_add_char(t, ' ');
    text_add_str(t, key);
    text_add_char(t, '=');
}

void logfmt_add(struct text *t, const char *key, struct span value)
{
    add_key(t, key);
    logfmt_value(t, value);
}

void logfmt_add_raw(struct text *t, const char *key, const char *value)
{
    add_key(t, key);
    text_add_str(t, value);
}
