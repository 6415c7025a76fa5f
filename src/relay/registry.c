#include "relay/registry.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>

enum { BUCKETS_MIN = 64 };

int registry_init(struct registry *r, struct timer_wheel *timers,
    registry_expired_fn *expired, void *owner)
{
    *r = (struct registry){
        .bucket_count = BUCKETS_MIN,
        .timers = timers,
        .expired = expired,
        .owner = owner,
    };
    if (getrandom(&r->key, sizeof(r->key), 0) != (ssize_t)sizeof(r->key))
        return -errno;
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
            free(slot);
        }
    }
    free(r->buckets);
    r->buckets = NULL;
}

static struct slot **bucket_of(const struct registry *r, struct span id)
{
    return &r->buckets[siphash(r->key, id) & (r->bucket_count - 1)];
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
    struct registry bigger = *r;

    bigger.bucket_count = r->bucket_count * 2;
    bigger.buckets = calloc(bigger.bucket_count, sizeof(struct slot *));
    if (bigger.buckets == NULL)
        return;
    for (size_t i = 0; i < r->bucket_count; i++) {
        while (r->buckets[i] != NULL) {
            struct slot *slot = r->buckets[i];
            struct slot **to = bucket_of(&bigger, registry_slot_id(slot));

            r->buckets[i] = slot->next;
            slot->next = *to;
            *to = slot;
        }
    }
    free(r->buckets);
    r->buckets = bigger.buckets;
    r->bucket_count = bigger.bucket_count;
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
    r->expired(r->owner, slot->phones, slot->phone_count);
    free(slot);
}

static struct slot *new_slot(struct registry *r, struct span id)
{
    if (r->slot_count >= r->bucket_count)
        grow(r);

    struct slot *slot = calloc(1, sizeof(*slot) + id.len);

    if (slot == NULL)
        return NULL;
    slot->registry = r;
    slot->grace.fn = on_grace_over;
    slot->id_len = id.len;
    memcpy(slot->id, id.ptr, id.len);

    struct slot **bucket = bucket_of(r, id);

    slot->next = *bucket;
    *bucket = slot;
    r->slot_count++;
    return slot;
}

enum registry_claim registry_claim(struct registry *r, struct span id,
    struct conn *binary, struct slot **ret_slot,
    struct registry_evicted *ret_evicted)
{
    struct slot *slot = registry_find(r, id);

    ret_evicted->count = 0;
    if (slot == NULL)
        slot = new_slot(r, id);
    if (slot == NULL)
        return REGISTRY_NO_MEMORY;
    *ret_slot = slot;
    if (slot->binary != NULL)
        return REGISTRY_IN_USE;
    timer_cancel(r->timers, &slot->grace);
    memcpy(ret_evicted->phones, slot->phones, sizeof(slot->phones));
    ret_evicted->count = slot->phone_count;
    r->phone_count -= slot->phone_count;
    slot->phone_count = 0;
    slot->paused = false;
    slot->binary = binary;
    slot->binary_turn++;
    r->binary_count++;
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
    if (slot->phone_count == LIMIT_PHONES)
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
