#include "relay/registry.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

int registry_init(struct registry *r, struct timer_wheel *timers,
    const struct registry_setup *setup)
{
    *r = (struct registry){
        .bucket_count = BUCKETS_MIN,
        .timers = timers,
        .setup = *setup,
    };
    r->buckets = calloc(r->bucket_count, sizeof(struct slot *));
    return r->buckets == NULL ? -ENOMEM : 0;
}

void registry_done(struct registry *r)
{
    for (size_t i = 0; i < r->bucket_count && r->buckets != NULL; i++) {
        while (r->buckets[i] != NULL) {
            struct slot *slot = r->buckets[i];

            r->buckets[i] = slot->next;
            timer_cancel(r->timers, &slot->grace);
            timer_cancel(r->timers, &slot->probe);
            free(slot);
        }
    }
    free(r->buckets);
    r->buckets = NULL;
}

static struct slot **bucket_of(const struct registry *r, struct span id)
{
    return &r->buckets[siphash(r->setup.key, id) & (r->bucket_count - 1)];
}

struct span registry_slot_id(const struct slot *slot)
{
    return span_of(slot->id, slot->id_len);
}

struct slot *registry_find(const struct registry *r, struct span id)
{
    struct slot *slot = *bucket_of(r, id);

    while (slot != NULL && !span_eq(registry_slot_id(slot), id))
        slot = slot->next;
    return slot;
}

/* Twice the buckets; on failure the chains stay longer, which is only slow. */
static void grow(struct registry *r)
{
    struct slot **old = r->buckets;
    size_t old_count = r->bucket_count;
    struct slot **buckets = calloc(old_count * 2, sizeof(struct slot *));

    if (buckets == NULL)
        return;
    r->buckets = buckets;
    r->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct slot *slot = old[i];
            struct slot **to = bucket_of(r, registry_slot_id(slot));

            old[i] = slot->next;
            slot->next = *to;
            *to = slot;
        }
    }
    free(old);
}

static void unlink_slot(struct registry *r, struct slot *slot)
{
    struct slot **at = bucket_of(r, registry_slot_id(slot));

    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
    r->slot_count--;
}

static void on_grace_over(struct timer *t, uint64_t now_ms)
{
    struct slot *slot =
        (struct slot *)(void *)((char *)t - offsetof(struct slot, grace));
    struct registry *r = slot->registry;

    (void)now_ms;
    assert(slot->binary == NULL);
    unlink_slot(r, slot);
    r->phone_count -= slot->phone_count;
    r->setup.expired(r->setup.owner, slot->phones, slot->phone_count);
    free(slot);
}

static void on_probe_over(struct timer *t, uint64_t now_ms)
{
    struct slot *slot =
        (struct slot *)(void *)((char *)t - offsetof(struct slot, probe));

    (void)now_ms;
    slot->registry->setup.unanswered(slot);
}

static struct slot *new_slot(struct registry *r, struct span id)
{
    if (r->slot_count >= r->bucket_count)
        grow(r);

    size_t phones_len = r->setup.phones_max * sizeof(struct conn *);
    struct slot *slot = calloc(1, sizeof(*slot) + phones_len + id.len);

    if (slot == NULL)
        return NULL;
    slot->registry = r;
    slot->grace.fn = on_grace_over;
    slot->probe.fn = on_probe_over;
    slot->id = (uint8_t *)(slot->phones + r->setup.phones_max);
    slot->id_len = id.len;
    memcpy(slot->id, id.ptr, id.len);

    struct slot **bucket = bucket_of(r, id);

    slot->next = *bucket;
    *bucket = slot;
    r->slot_count++;
    return slot;
}

void registry_start_probe(struct slot *slot, uint64_t now_ms)
{
    timer_set(slot->registry->timers, &slot->probe, now_ms + LIMIT_PROBE_MS);
}

void registry_stop_probe(struct slot *slot)
{
    timer_cancel(slot->registry->timers, &slot->probe);
}

void registry_install(struct slot *slot, struct conn *binary,
    struct registry_evicted *ret_evicted)
{
    struct registry *r = slot->registry;

    timer_cancel(r->timers, &slot->grace);
    memcpy(ret_evicted->phones, slot->phones,
        slot->phone_count * sizeof(struct conn *));
    ret_evicted->count = slot->phone_count;
    r->phone_count -= slot->phone_count;
    slot->phone_count = 0;
    slot->paused = false;
    if (slot->binary == NULL)
        r->binary_count++;
    slot->binary = binary;
    slot->binary_turn++;
}

enum registry_claim registry_claim(struct registry *r, struct span id,
    struct conn *binary, struct slot **ret_slot,
    struct registry_evicted *ret_evicted)
{
    struct slot *slot = registry_find(r, id);

    if (slot == NULL)
        slot = new_slot(r, id);
    if (slot == NULL)
        return REGISTRY_NO_MEMORY;
    *ret_slot = slot;
    if (slot->binary != NULL)
        return REGISTRY_IN_USE;
    registry_install(slot, binary, ret_evicted);
    return REGISTRY_CLAIMED;
}

void registry_release(
    struct slot *slot, const struct conn *binary, uint64_t now_ms)
{
    if (slot->binary != binary)
        return;
    slot->binary = NULL;
    slot->paused = false;
    slot->registry->binary_count--;
    timer_set(slot->registry->timers, &slot->grace, now_ms + LIMIT_GRACE_MS);
}

enum registry_join registry_join(struct registry *r, struct span id,
    struct conn *phone, struct slot **ret_slot)
{
    struct slot *slot = registry_find(r, id);

    if (slot == NULL)
        return REGISTRY_NO_SERVER;
    if (slot->phone_count == r->setup.phones_max)
        return REGISTRY_AT_CAP;
    slot->phones[slot->phone_count++] = phone;
    r->phone_count++;
    *ret_slot = slot;
    return REGISTRY_JOINED;
}

void registry_leave(struct slot *slot, const struct conn *phone)
{
    for (size_t i = 0; i < slot->phone_count; i++) {
        if (slot->phones[i] != phone)
            continue;
        slot->phones[i] = slot->phones[--slot->phone_count];
        slot->registry->phone_count--;
        return;
    }
    assert(false && "the phone is of another slot");
}
