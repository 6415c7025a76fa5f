#include "wire/pem_block.h"

static const char begin[] = "-----BEGIN ";
static const char end[] = "-----END ";
static const char dashes[] = "-----";

enum { LABEL_MAX = 64 };

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool starts_with(struct span in, struct span what)
{
    return in.len >= what.len && memcmp(in.ptr, what.ptr, what.len) == 0;
}

/* Take what the text starts with off it, or say that it does not. */
static bool take(struct span *in, struct span what)
{
    if (!starts_with(*in, what))
        return false;
    *in = span_from(*in, what.len);
    return true;
}

/* Take a label off: capital letters, digits, single spaces. */
static struct span take_label(struct span *in)
{
    size_t len = 0;

    while (len < in->len && len < LABEL_MAX) {
        uint8_t c = in->ptr[len];

        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != ' ')
            break;
        len++;
    }

    struct span label = span_of(in->ptr, len);

    *in = span_from(*in, len);
    return label;
}

static bool is_body(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=' ||
           is_space(c);
}

static void skip_space(struct span *in)
{
    while (in->len > 0 && is_space(in->ptr[0]))
        *in = span_from(*in, 1);
}

enum pem_step pem_block_next(struct span *in, struct pem_block *ret)
{
    struct span rest = *in;
    const uint8_t *start = NULL;
    struct span label;

    skip_space(&rest);
    if (rest.len == 0)
        return PEM_END;
    start = rest.ptr;
    if (!take(&rest, span_str(begin)))
        return PEM_MALFORMED;
    label = take_label(&rest);
    if (label.len == 0 || !take(&rest, span_str(dashes)))
        return PEM_MALFORMED;
    while (rest.len > 0 && is_body(rest.ptr[0]))
        rest = span_from(rest, 1);
    if (!take(&rest, span_str(end)) || !take(&rest, label) ||
        !take(&rest, span_str(dashes)))
        return PEM_MALFORMED;
    ret->label = label;
    ret->text = span_of(start, (size_t)(rest.ptr - start));
    *in = rest;
    return PEM_BLOCK;
}

bool pem_block_is_key(const struct pem_block *block)
{
    static const char *const labels[] = {
        "EC PRIVATE KEY", "PRIVATE KEY", "RSA PRIVATE KEY"};

    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (span_eq(block->label, span_str(labels[i])))
            return true;
    }
    return false;
}

bool pem_block_is_certificate(const struct pem_block *block)
{
    return span_eq(block->label, span_str("CERTIFICATE"));
}
