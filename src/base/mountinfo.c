#include "base/mountinfo.h"

/* The optional fields end at a lone dash; their number varies. */
static bool skip_optional(struct span *line)
{
    while (line->len > 0) {
        if (span_eq(span_take_until(line, ' '), span_str("-")))
            return true;
    }
    return false;
}

bool mountinfo_parse(struct span line, struct mountinfo *ret)
{
    struct span rest = span_take_until(&line, '\n');

    (void)span_take_until(&rest, ' '); /* its id, and its parent's */
    (void)span_take_until(&rest, ' ');
    ret->device = span_take_until(&rest, ' ');
    ret->root = span_take_until(&rest, ' ');
    ret->point = span_take_until(&rest, ' ');
    ret->options = span_take_until(&rest, ' ');
    if (!skip_optional(&rest))
        return false;
    ret->type = span_take_until(&rest, ' ');
    (void)span_take_until(&rest, ' '); /* its source */
    ret->super = span_take_until(&rest, ' ');
    return ret->super.len > 0;
}

bool mountinfo_has_option(const struct mountinfo *mount, const char *option)
{
    struct span options = mount->super;

    while (options.len > 0) {
        struct span each = span_take_until(&options, ',');

        if (span_eq(span_take_until(&each, '='), span_str(option)))
            return true;
    }
    return false;
}

static bool is_octal(uint8_t c)
{
    return c >= '0' && c <= '7';
}

static bool is_escape(struct span in)
{
    return in.len >= 4 && in.ptr[0] == '\\' && in.ptr[1] <= '3' &&
           is_octal(in.ptr[1]) && is_octal(in.ptr[2]) && is_octal(in.ptr[3]);
}

bool mountinfo_unescape(struct span path, char *ret, size_t cap)
{
    size_t len = 0;

    while (path.len > 0 && len + 1 < cap) {
        bool escaped = is_escape(path);

        ret[len++] =
            (char)(escaped ? (path.ptr[1] - '0') << 6 |
                                 (path.ptr[2] - '0') << 3 | (path.ptr[3] - '0')
                           : path.ptr[0]);
        path = span_from(path, escaped ? 4 : 1);
    }
    if (cap > 0)
        ret[len] = '\0';
    return path.len == 0 && cap > 0;
}
