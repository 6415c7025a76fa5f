#include "relay/capacity.h"

#include <inttypes.h>

#include "base/text.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void add_count(struct text *t, uint64_t count)
{
    if (count == CAPACITY_NO_LIMIT) {
        text_add_str(t, "any number");
    } else {
        text_addf(t, "%" PRIu64, count);
    }
}

struct capacity capacity_threads(const struct capacity_facts *facts)
{
    struct capacity c = {.value = least(facts->cpus_affine, facts->cpus_quota)};
    struct text t = text_over(c.reason, sizeof(c.reason));

    if (c.value == 0 || c.value == CAPACITY_NO_LIMIT)
        c.value = 1;
    text_addf(&t, "%" PRIu64 ": ", c.value);
    if (facts->cpus_affine == CAPACITY_NO_LIMIT) {
        text_add_str(&t, "affinity unknown");
    } else {
        text_addf(&t, "%" PRIu64 " CPUs by affinity", facts->cpus_affine);
    }
    if (facts->cpus_quota == CAPACITY_NO_LIMIT) {
        text_add_str(&t, ", no quota");
    } else {
        text_addf(&t, ", %" PRIu64 " by the cgroup's quota", facts->cpus_quota);
    }
    return c;
}

/* What bounds the connections, and how many each bound lets through. */
struct bounds {
    uint64_t descriptors;
    uint64_t memory;
    uint64_t bytes;    /* the memory in question */
    const char *whose; /* and whose limit that is */
    uint64_t each;     /* bytes of a connection */
    uint64_t hard;     /* descriptors in all */
    uint64_t spare;
};

static struct bounds bounds_of(
    const struct capacity_facts *facts, uint64_t spare, uint64_t each)
{
    struct bounds b = {
        .bytes = least(facts->memory_cgroup, facts->memory_total),
        .whose = facts->memory_cgroup < facts->memory_total ? "the cgroup's"
                                                            : "the machine's",
        .each = each,
        .hard = facts->descriptors,
        .spare = spare,
    };

    b.memory =
        b.bytes == CAPACITY_NO_LIMIT ? CAPACITY_NO_LIMIT : b.bytes / 2 / each;
    b.descriptors = b.hard;
    if (b.hard != CAPACITY_NO_LIMIT)
        b.descriptors = b.hard > spare ? b.hard - spare : 0;
    return b;
}

static void add_reason(struct text *t, const struct bounds *b, uint64_t value)
{
    text_addf(t, "%" PRIu64 ": ", value);
    if (b->descriptors > CAPACITY_CONNECTIONS_MAX &&
        b->memory > CAPACITY_CONNECTIONS_MAX) {
        text_add_str(t, "the most without a flag; descriptors would allow ");
        add_count(t, b->descriptors);
        text_add_str(t, ", memory ");
        add_count(t, b->memory);
    } else if (b->descriptors <= b->memory) {
        text_addf(
            t, "%" PRIu64 " descriptors less %" PRIu64, b->hard, b->spare);
        text_add_str(t, "; memory would allow ");
        add_count(t, b->memory);
    } else {
        text_addf(t, "half of %s %" PRIu64 " MiB at %" PRIu64 " KiB each",
            b->whose, b->bytes >> 20, b->each >> 10);
        text_add_str(t, "; descriptors would allow ");
        add_count(t, b->descriptors);
    }
}

struct capacity capacity_connections(
    const struct capacity_facts *facts, uint64_t spare, uint64_t each)
{
    struct bounds b = bounds_of(facts, spare, each);
    struct capacity c = {.value = least(b.descriptors, b.memory)};
    struct text t = text_over(c.reason, sizeof(c.reason));

    c.value = least(c.value, CAPACITY_CONNECTIONS_MAX);
    if (c.value == 0)
        c.value = 1;
    add_reason(&t, &b, c.value);
    return c;
}
