/*
 * budget: a count that several workers take from, exact at its limit.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct budget {
    _Atomic size_t taken;
    size_t limit;
};

/* One more, unless the limit is reached. */
MUST_CHECK NONNULL static inline bool budget_take(struct budget *b)
{
    size_t taken = atomic_load_explicit(&b->taken, memory_order_relaxed);

    do {
        if (taken >= b->limit)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&b->taken, &taken,
        taken + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* Add where there is no refusing; true: the limit is passed. */
NONNULL static inline bool budget_add(struct budget *b, size_t count)
{
    size_t before =
        atomic_fetch_add_explicit(&b->taken, count, memory_order_relaxed);

    return count > b->limit || before > b->limit - count;
}

NONNULL static inline void budget_give(struct budget *b, size_t count)
{
    size_t before =
        atomic_fetch_sub_explicit(&b->taken, count, memory_order_relaxed);

    assert(before >= count);
    (void)before;
}

NONNULL static inline size_t budget_taken(const struct budget *b)
{
    return atomic_load_explicit(&b->taken, memory_order_relaxed);
}

NONNULL static inline bool budget_is_passed(const struct budget *b)
{
    return budget_taken(b) > b->limit;
}
