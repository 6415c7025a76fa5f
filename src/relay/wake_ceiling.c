#include "relay/wake_ceiling.h"

#define SECOND UINT64_C(1000000000) /* in nanoseconds */
#define MS     UINT64_C(1000000)    /* in nanoseconds */

bool wake_ceiling_take(
    struct wake_ceiling *c, uint64_t per_second, uint64_t now_ms)
{
    uint64_t now_ns = now_ms * MS;
    uint64_t full_at =
        atomic_load_explicit(&c->full_at_ns, memory_order_relaxed);
    uint64_t next = 0;

    if (per_second == 0)
        return true;
    do {
        next = (full_at > now_ns ? full_at : now_ns) + SECOND / per_second;
        if (next - now_ns > SECOND)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&c->full_at_ns, &full_at,
        next, memory_order_relaxed, memory_order_relaxed));
    return true;
}
