#include "base/base64url.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One to three bytes become two to four characters. */
static void add_group(struct text *t, struct span in)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < in.len ? in.ptr[i] : 0U);
    for (size_t i = 0; i <= in.len; i++)
        text_add_char(t, alphabet[bits >> (18 - 6 * i) & 0x3f]);
}

void base64url_add(struct text *t, struct span in)
{
    while (in.len > 0) {
        size_t len = in.len < 3 ? in.len : 3;

        add_group(t, span_of(in.ptr, len));
        in = span_from(in, len);
    }
}
