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

static void add_escaped(struct text *t, uint8_t c)
{
    switch (c) {
    case '\n':
        text_add_str(t, "\\n");
        break;
    case '\r':
        text_add_str(t, "\\r");
        break;
    case '\t':
        text_add_str(t, "\\t");
        break;
    case '"':
        text_add_str(t, "\\\"");
        break;
    case '\\':
        text_add_str(t, "\\\\");
        break;
    default:
        text_addf(t, "\\x%02x", c);
        break;
    }
}

void logfmt_value(struct text *t, struct span value)
{
    if (!must_quote(value)) {
        text_add(t, value);
        return;
    }
    text_add_char(t, '"');
    for (size_t i = 0; i < value.len;) {
        struct span rest = span_from(value, i);
        size_t len = utf8_printable(rest);
        uint8_t c = rest.ptr[0];

        if (len == 0 || c == '"' || c == '\\') {
            add_escaped(t, c);
            i++;
            continue;
        }
        text_add(t, span_of(rest.ptr, len));
        i += len;
    }
    text_add_char(t, '"');
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
