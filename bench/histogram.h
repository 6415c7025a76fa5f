/*
 * histogram: how often which value was seen, within 3 %.
 *
 * Thirty-two buckets for each power of two: values below 32 are exact, above
 * that a bucket is 1/32 of its power wide.  Fixed size, no allocation, adding
 * is a handful of instructions.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

enum { HISTOGRAM_BUCKETS = 1920 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t largest;
};

NONNULL void histogram_add(struct histogram *h, uint64_t value);

/*
 * The middle of the bucket that holds the value below which permille
 * thousandths of all values are; never above the largest.  0 if there is none.
 */
NONNULL uint64_t histogram_quantile(
    const struct histogram *h, unsigned permille);
