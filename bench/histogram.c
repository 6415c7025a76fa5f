#include "bench/histogram.h"

#include <assert.h>
#include <stddef.h>

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS };

static size_t bucket_of(uint64_t value)
{
    if (value < SUB)
        return (size_t)value;

    unsigned top = 63U - (unsigned)__builtin_clzll(value);

    return (size_t)(top - SUB_BITS + 1) * SUB +
           (size_t)((value >> (top - SUB_BITS)) & (SUB - 1));
}

static uint64_t middle_of(size_t bucket)
{
    if (bucket < SUB)
        return bucket;

    unsigned shift = (unsigned)(bucket / SUB) - 1;
    uint64_t low = (uint64_t)(SUB + bucket % SUB) << shift;

    return low + ((UINT64_C(1) << shift) >> 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->counts[bucket_of(value)]++;
    h->total++;
    if (value > h->largest)
        h->largest = value;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned permille)
{
    uint64_t seen = 0;
    uint64_t wanted = 0;

    assert(permille <= 1000);
    if (h->total == 0)
        return 0;
    /* the rank of the value, counted from 1, rounded up */
    wanted = (h->total * permille + 999) / 1000;
    if (wanted == 0)
        wanted = 1;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen >= wanted)
            return middle_of(i) < h->largest ? middle_of(i) : h->largest;
    }
    return h->largest;
}
