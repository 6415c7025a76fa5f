#include "relay/outbox.h"

#include <assert.h>
#include <stdlib.h>

#include "base/num.h"

enum {
    BYTES_MIN = 512, /* the first allocation */
    ITEMS_MIN = 8,
};

void outbox_done(struct outbox *o)
{
    free(o->bytes);
    free(o->items);
    *o = (struct outbox){.bytes = NULL};
}

static void check(const struct outbox *o)
{
    assert(o->head <= o->tail);
    assert(o->tail <= o->cap);
    assert(o->item_count <= o->item_cap);
}

static struct outbox_item *item_at(const struct outbox *o, size_t i)
{
    return &o->items[(o->item_head + i) % o->item_cap];
}

static bool grow_items(struct outbox *o)
{
    size_t cap = o->item_cap == 0 ? ITEMS_MIN : o->item_cap * 2;
    struct outbox_item *items = calloc(cap, sizeof(*items));

    if (items == NULL)
        return false;
    for (size_t i = 0; i < o->item_count; i++)
        items[i] = *item_at(o, i);
    free(o->items);
    o->items = items;
    o->item_cap = cap;
    o->item_head = 0;
    return true;
}

static bool grow_bytes(struct outbox *o, size_t len)
{
    size_t want = 0;
    size_t cap = o->cap;

    if (o->head > 0) {
        memmove(o->bytes, o->bytes + o->head, o->tail - o->head);
        o->tail -= o->head;
        o->head = 0;
    }
    if (num_add_overflows(o->tail, len, &want))
        return false;
    if (cap < BYTES_MIN)
        cap = BYTES_MIN;
    while (cap < want) {
        if (cap > SIZE_MAX / 2)
            return false;
        cap *= 2;
    }
    if (cap == o->cap)
        return true;

    uint8_t *bytes = realloc(o->bytes, cap);

    if (bytes == NULL)
        return false;
    o->bytes = bytes;
    o->cap = cap;
    return true;
}

uint8_t *outbox_reserve(struct outbox *o, size_t len)
{
    check(o);
    if (o->item_count == o->item_cap && !grow_items(o))
        return NULL;
    if (len > o->cap - o->tail && !grow_bytes(o, len))
        return NULL;
    return o->bytes + o->tail;
}

void outbox_commit(struct outbox *o, struct outbox_item item)
{
    check(o);
    assert(item.len > 0);
    assert(item.len <= o->cap - o->tail);
    assert(o->item_count < o->item_cap);
    o->tail += item.len;
    o->cost += item.cost;
    if (item.kind == OUTBOX_CONTROL)
        o->control_bytes += item.len;
    o->item_count++;
    *item_at(o, o->item_count - 1) = item;
}

struct span outbox_pending(const struct outbox *o)
{
    return span_of(o->bytes + o->head, o->tail - o->head);
}

bool outbox_is_empty(const struct outbox *o)
{
    return o->item_count == 0;
}

void outbox_sent(struct outbox *o, size_t len)
{
    check(o);
    assert(len <= o->tail - o->head);
    o->head += len;
    o->head_sent += len;
}

static void uncharge(struct outbox *o, const struct outbox_item *item)
{
    assert(o->cost >= item->cost);
    o->cost -= item->cost;
    if (item->kind == OUTBOX_CONTROL)
        o->control_bytes -= item->len;
}

bool outbox_next_done(struct outbox *o, struct outbox_item *ret)
{
    if (o->item_count == 0)
        return false;

    struct outbox_item *item = item_at(o, 0);

    if (o->head_sent < item->len)
        return false;
    *ret = *item;
    o->head_sent -= item->len;
    o->item_head = (o->item_head + 1) % o->item_cap;
    o->item_count--;
    uncharge(o, ret);
    if (o->item_count == 0)
        outbox_done(o); /* an idle peer holds no buffer */
    return true;
}

/* Keep no more room than what is left takes. */
static void shrink(struct outbox *o)
{
    size_t len = o->tail - o->head;
    uint8_t *bytes = NULL;

    memmove(o->bytes, o->bytes + o->head, len);
    o->head = 0;
    o->tail = len;
    bytes = realloc(o->bytes, len);
    if (bytes == NULL)
        return; /* the room as it was will do */
    o->bytes = bytes;
    o->cap = len;
}

void outbox_drop_unsent(struct outbox *o)
{
    size_t keep = o->head_sent > 0 ? 1 : 0;

    while (o->item_count > keep) {
        struct outbox_item *last = item_at(o, o->item_count - 1);

        if (last->kind == OUTBOX_HTTP)
            break; /* without its 101 a peer understands nothing else */
        uncharge(o, last);
        o->tail -= last->len;
        o->item_count--;
    }
    if (o->item_count == 0) {
        outbox_done(o);
    } else {
        shrink(o);
    }
    check(o);
}

bool outbox_holds(const struct outbox *o, uint32_t from)
{
    for (size_t i = 0; i < o->item_count; i++) {
        if (item_at(o, i)->from == from)
            return true;
    }
    return false;
}
