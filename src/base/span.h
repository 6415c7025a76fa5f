/*
 * span: a read-only view of bytes that somebody else owns.
 *
 * A span never outlives the buffer it points into, is never NUL-terminated
 * and may be empty (ptr is then unspecified).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr;
    size_t len; /* bytes */
};

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){.ptr = ptr, .len = len};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The bytes of a NUL-terminated string, without the NUL. */
static inline struct span span_str(const char *text)
{
    return span_of(text, strlen(text));
}

/* The bytes of in from offset at on; at is at most in.len. */
static inline struct span span_from(struct span in, size_t at)
{
    return span_of(in.ptr + at, in.len - at);
}

/* What stands before the byte, which is skipped; the rest stays in *in. */
static inline struct span span_take_until(struct span *in, uint8_t end)
{
    const uint8_t *at = in->len == 0 ? NULL : memchr(in->ptr, end, in->len);
    size_t len = at == NULL ? in->len : (size_t)(at - in->ptr);
    struct span taken = span_of(in->ptr, len);

    *in = span_from(*in, at == NULL ? len : len + 1);
    return taken;
}
