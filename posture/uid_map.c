#include "posture/uid_map.h"

#include <stdbool.h>

#include "base/num.h"

static bool take_number(struct span *in, uint32_t *ret)
{
    size_t start = 0;
    size_t end = 0;
    uint64_t number = 0;

    while (start < in->len && in->ptr[start] == ' ')
        start++;
    end = start;
    while (end < in->len && in->ptr[end] != ' ' && in->ptr[end] != '\n')
        end++;
    if (!num_parse_u64(
            span_of(in->ptr + start, end - start), UINT32_MAX, &number))
        return false;
    *in = span_from(*in, end);
    *ret = (uint32_t)number;
    return true;
}

static bool take_line(struct span *in, struct uid_map *ret)
{
    if (!take_number(in, &ret->inside) || !take_number(in, &ret->outside) ||
        !take_number(in, &ret->count))
        return false;
    while (in->len > 0 && in->ptr[0] == ' ')
        *in = span_from(*in, 1);
    if (in->len == 0 || in->ptr[0] != '\n')
        return false; /* no end: cut off */
    *in = span_from(*in, 1);
    return true;
}

void uid_map_parse(struct span in, struct uid_map *ret)
{
    struct uid_map found = {.root = UID_MAP_UNMAPPED};

    *ret = (struct uid_map){.root = UID_MAP_UNKNOWN};
    if (in.len == 0)
        return;
    while (in.len > 0) {
        struct uid_map line = {.root = UID_MAP_UNKNOWN};

        if (!take_line(&in, &line))
            return;
        if (line.inside != 0 || line.count == 0 ||
            found.root != UID_MAP_UNMAPPED)
            continue;
        found = line;
        found.root = line.outside == 0 ? UID_MAP_REAL : UID_MAP_MAPPED;
    }
    *ret = found;
}
