#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct text text_over(char *buf, size_t cap)
{
    assert(cap > 0);
    buf[0] = '\0';
    return (struct text){.ptr = buf, .cap = cap};
}

void text_add(struct text *t, struct span bytes)
{
    size_t room = t->cap - 1 - t->len;
    size_t len = bytes.len;

    assert(t->len < t->cap);
    if (len > room) {
        len = room;
        t->cut = true;
    }
    if (len > 0)
        memcpy(t->ptr + t->len, bytes.ptr, len);
    t->len += len;
    t->ptr[t->len] = '\0';
}

void text_add_str(struct text *t, const char *str)
{
    text_add(t, span_str(str));
}

void text_add_char(struct text *t, char c)
{
    text_add(t, span_of(&c, 1));
}

PRINTF_LIKE(2, 0)
static void add_args(struct text *t, const char *fmt, va_list args)
{
    size_t room = t->cap - t->len;
    int want = vsnprintf(t->ptr + t->len, room, fmt, args);

    if (want < 0) {
        t->ptr[t->len] = '\0';
        t->cut = true;
    } else if ((size_t)want >= room) {
        t->len = t->cap - 1;
        t->cut = true;
    } else {
        t->len += (size_t)want;
    }
}

void text_addf(struct text *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add_args(t, fmt, args);
    va_end(args);
}

bool text_format(char *buf, size_t cap, const char *fmt, ...)
{
    struct text t = text_over(buf, cap);
    va_list args;

    va_start(args, fmt);
    add_args(&t, fmt, args);
    va_end(args);
    return !t.cut;
}
