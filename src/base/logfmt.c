#include "base/logfmt.h"

#include <stdint.h>

/*
 * The length of the printable character at the start of in, 0 if there is
 * none: ASCII 0x20 to 0x7e, or well-formed UTF-8 (RFC 3629) that is not a
 * control, a line or paragraph separator, a direction mark, a surrogate or a
 * byte order mark.
 */
static size_t printable(struct span in)
{
    const uint8_t *p = in.ptr;
    uint8_t lead = p[0];

    if (lead >= 0x20 && lead < 0x7f)
        return 1;

    size_t len = lead >= 0xf0 && lead <= 0xf4 ? 4
        : lead >= 0xe0 && lead < 0xf0         ? 3
        : lead >= 0xc2 && lead < 0xe0         ? 2
                                              : 0;
    if (len == 0 || len > in.len)
        return 0;

    uint32_t code = lead & (0x7fU >> len);

    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fU);
    }
    if ((len == 3 && code < 0x800) || (len == 4 && code < 0x10000))
        return 0;
    if (code < 0xa1 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    if ((code >= 0x200b && code <= 0x200f) ||
        (code >= 0x2028 && code <= 0x202f) ||
        (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || code == 0xad)
        return 0;
    return len;
}

static bool must_quote(struct span value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len;) {
        uint8_t c = value.ptr[i];
        size_t len = printable(span_from(value, i));

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
        size_t len = printable(rest);
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
