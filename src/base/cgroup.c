#include "base/cgroup.h"

#include <stddef.h>

#include "base/num.h"

static bool has(struct span list, struct span controller)
{
    while (list.len > 0) {
        if (span_eq(span_take_until(&list, ','), controller))
            return true;
    }
    return false;
}

bool cgroup_path(struct span file, const char *controller, struct span *ret)
{
    while (file.len > 0) {
        struct span line = span_take_until(&file, '\n');
        struct span id = span_take_until(&line, ':');
        struct span controllers = span_take_until(&line, ':');
        bool is_it = controller == NULL
                         ? span_eq(id, span_str("0")) && controllers.len == 0
                         : has(controllers, span_str(controller));

        if (!is_it || line.len == 0 || line.ptr[0] != '/')
            continue;
        *ret = line;
        return true;
    }
    return false;
}

/* What version 1 shows for no limit: the last page below 2^63. */
enum { PAGE_LARGEST = 1 << 16 };

bool cgroup_limit(struct span file, uint64_t *ret)
{
    struct span line = span_take_until(&file, '\n');

    if (span_eq(line, span_str("max"))) {
        *ret = UINT64_MAX;
        return true;
    }
    if (!num_parse_u64(line, UINT64_MAX, ret))
        return false;
    if (*ret >= (uint64_t)INT64_MAX - PAGE_LARGEST)
        *ret = UINT64_MAX;
    return true;
}

static bool cpus_of(struct span quota, struct span period, uint64_t *ret)
{
    uint64_t quota_us = 0;
    uint64_t period_us = 0;

    if (!num_parse_u64(quota, UINT64_MAX, &quota_us) ||
        !num_parse_u64(period, UINT64_MAX, &period_us) || period_us == 0)
        return false;
    *ret = quota_us / period_us + (quota_us % period_us != 0);
    return true;
}

bool cgroup_cpus(struct span file, uint64_t *ret)
{
    struct span period = span_take_until(&file, '\n');
    struct span quota = span_take_until(&period, ' ');

    if (!span_eq(quota, span_str("max")))
        return cpus_of(quota, period, ret);
    *ret = UINT64_MAX;
    return true;
}

bool cgroup_cpus_v1(struct span quota, struct span period, uint64_t *ret)
{
    struct span us = span_take_until(&quota, '\n');

    if (!span_eq(us, span_str("-1")))
        return cpus_of(us, span_take_until(&period, '\n'), ret);
    *ret = UINT64_MAX;
    return true;
}
