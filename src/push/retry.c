#include "push/retry.h"

bool retry_is_worth(long status)
{
    return status == 429 || (status >= 500 && status <= 599);
}

bool retry_plan(struct retry *r, uint64_t now_ms, int64_t retry_after_s,
    uint32_t chance, uint64_t *ret_at_ms)
{
    uint64_t wait_ms = (uint64_t)RETRY_WAIT_MS << r->count;
    uint64_t spread_ms = chance % (wait_ms / 2);

    if (r->count >= RETRY_COUNT_MAX)
        return false;
    if (retry_after_s > RETRY_BOUND_MS / 1000)
        return false;
    if (retry_after_s > 0 && (uint64_t)retry_after_s * 1000 > wait_ms)
        wait_ms = (uint64_t)retry_after_s * 1000;
    if (now_ms + wait_ms > r->began_ms + RETRY_BOUND_MS)
        return false;
    r->count++;
    *ret_at_ms = now_ms + wait_ms + spread_ms;
    return true;
}
