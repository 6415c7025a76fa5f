#include "base/json_text.h"

#include "base/utf8.h"

enum { UNIT_MAX = 8 }; /* "\u001f" and a NUL, rounded up */

static const char *short_escape(uint8_t c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* How the character at the start of in is written; *ret_len is its length. */
static struct span next_unit(
    struct span in, char unit[UNIT_MAX], size_t *ret_len)
{
    const char *escape = short_escape(in.ptr[0]);
    uint32_t code = 0;
    size_t len = utf8_next(in, &code);

    *ret_len = len == 0 ? 1 : len;
    if (escape != NULL)
        return span_str(escape);
    if (len > 0 && utf8_code_is_printable(code))
        return span_of(in.ptr, len);
    /* What is not printable lies below U+10000, see utf8.c. */
    (void)text_format(unit, UNIT_MAX, "\\u%04x", len == 0 ? 0xfffdU : code);
    return span_str(unit);
}

void json_text_add(struct text *t, struct span value)
{
    if (t->cap - 1 - t->len < 2) {
        t->cut = true;
        return;
    }
    text_add_char(t, '"');
    while (value.len > 0) {
        char unit[UNIT_MAX];
        size_t len = 0;
        struct span written = next_unit(value, unit, &len);

        if (written.len > t->cap - 2 - t->len) {
            t->cut = true;
            break;
        }
        text_add(t, written);
        value = span_from(value, len);
    }
    text_add_char(t, '"');
}
