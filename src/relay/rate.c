#include "relay/rate.h"

#include <assert.h>

/* A byte a second is a thousandth of a byte in a millisecond. */
enum { PARTS = 1000 };

struct rate_limit rate_limit_of(uint64_t bytes_per_s)
{
    assert(bytes_per_s <= RATE_MAX);
    return (struct rate_limit){
        .bytes_per_s = bytes_per_s,
        .burst = bytes_per_s > RATE_BURST_MIN ? bytes_per_s : RATE_BURST_MIN,
    };
}

/* What is still owed at now_ms.  A clock that went back has not moved. */
static uint64_t owed_at(
    const struct rate *rate, const struct rate_limit *limit, uint64_t now_ms)
{
    uint64_t elapsed = now_ms > rate->last_ms ? now_ms - rate->last_ms : 0;
    uint64_t paid = 0;

    if (__builtin_mul_overflow(elapsed, limit->bytes_per_s, &paid) ||
        paid >= rate->owed)
        return 0;
    return rate->owed - paid;
}

uint64_t rate_pause(
    const struct rate *rate, const struct rate_limit *limit, uint64_t now_ms)
{
    uint64_t owed = 0;
    uint64_t debt = 0;

    if (limit->bytes_per_s == RATE_OFF)
        return 0;
    owed = owed_at(rate, limit, now_ms);
    if (owed <= limit->burst * PARTS)
        return 0;
    debt = owed - limit->burst * PARTS;
    return debt / limit->bytes_per_s + (debt % limit->bytes_per_s != 0);
}

uint64_t rate_take(struct rate *rate, const struct rate_limit *limit,
    size_t len, uint64_t now_ms)
{
    uint64_t parts = 0;
    uint64_t owed = 0;

    assert(limit->bytes_per_s <= RATE_MAX);
    assert(limit->burst <= RATE_MAX);
    if (limit->bytes_per_s == RATE_OFF)
        return 0;
    owed = owed_at(rate, limit, now_ms);
    if (__builtin_mul_overflow(len, (size_t)PARTS, &parts) ||
        __builtin_add_overflow(owed, parts, &owed))
        owed = UINT64_MAX;
    rate->owed = owed;
    if (now_ms > rate->last_ms)
        rate->last_ms = now_ms;
    return rate_pause(rate, limit, now_ms);
}
