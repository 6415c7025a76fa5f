#include "posture/mountinfo.h"

enum {
    DEVICE_FIELD = 2, /* counted from 0, as the options are from the dash */
    OPTIONS_FIELD = 3,
};

/* What stands before the byte, which goes with it; the rest stays. */
static struct span take_until(struct span *in, uint8_t end)
{
    size_t len = 0;

    while (len < in->len && in->ptr[len] != end)
        len++;

    struct span taken = span_of(in->ptr, len);

    *in = span_from(*in, len < in->len ? len + 1 : len);
    return taken;
}

bool mountinfo_is_of(struct span line, const char *device)
{
    for (size_t i = 0; i < DEVICE_FIELD; i++)
        (void)take_until(&line, ' ');
    return span_eq(take_until(&line, ' '), span_str(device));
}

/* The options of the file system are the third field behind a lone dash;
 * the number of fields before it varies. */
static struct span super_options(struct span line)
{
    bool found = false;

    while (line.len > 0 && !found)
        found = span_eq(take_until(&line, ' '), span_str("-"));
    for (size_t i = 1; i < OPTIONS_FIELD; i++)
        (void)take_until(&line, ' ');
    return take_until(&line, '\n');
}

bool mountinfo_has_option(struct span line, const char *option)
{
    struct span options = super_options(line);

    while (options.len > 0) {
        struct span each = take_until(&options, ',');

        if (span_eq(take_until(&each, '='), span_str(option)))
            return true;
    }
    return false;
}
