#include "relay/outbox.h"

#include <assert.h>
#include <stdlib.h>

#include "base/num.h"

enum {
    BYTES_MIN = 512, /* the first allocation */
    ITEMS_MIN = 8,
};

/* ---- rooms ---- */

bool outbox_pool_init(struct outbox_pool *pool)
{
    *pool = (struct outbox_pool){.free = NULL};
    for (size_t i = 0; i < OUTBOX_ROOMS; i++) {
        struct outbox_room *room = &pool->rooms[i];

        room->bytes = malloc(OUTBOX_ROOM_LEN);
        room->items = malloc(OUTBOX_ROOM_ITEMS * sizeof(*room->items));
        if (room->bytes == NULL || room->items == NULL) {
            outbox_pool_done(pool);
            return false;
        }
        room->next = pool->free;
        pool->free = room;
    }
    return true;
}

void outbox_pool_done(struct outbox_pool *pool)
{
    for (size_t i = 0; i < OUTBOX_ROOMS; i++) {
        free(pool->rooms[i].bytes);
        free(pool->rooms[i].items);
    }
    *pool = (struct outbox_pool){.free = NULL};
}

static bool are_bytes_lent(const struct outbox *o)
{
    return o->room != NULL && o->bytes == o->room->bytes;
}

static bool are_items_lent(const struct outbox *o)
{
    return o->room != NULL && o->items == o->room->items;
}

/* The last used is the first lent: it is what the caches have. */
static void borrow(struct outbox *o)
{
    struct outbox_room *room = o->pool->free;

    o->pool->free = room->next;
    o->room = room;
    o->bytes = room->bytes;
    o->cap = OUTBOX_ROOM_LEN;
    o->items = room->items;
    o->item_cap = OUTBOX_ROOM_ITEMS;
}

static void give_back(struct outbox *o)
{
    if (o->room == NULL)
        return;
    o->room->next = o->pool->free;
    o->pool->free = o->room;
    o->room = NULL;
}

void outbox_done(struct outbox *o)
{
    if (o->bytes != NULL && !are_bytes_lent(o))
        free(o->bytes);
    if (o->items != NULL && !are_items_lent(o))
        free(o->items);
    give_back(o);
    *o = (struct outbox){.pool = o->pool};
}

size_t outbox_own_room(const struct outbox *o)
{
    return are_bytes_lent(o) ? 0 : o->cap;
}

size_t outbox_own_items(const struct outbox *o)
{
    return are_items_lent(o) ? 0 : o->item_cap * sizeof(*o->items);
}

/* ---- filling ---- */

static void check(const struct outbox *o)
{
    assert(o->head <= o->tail);
    assert(o->tail <= o->cap);
    assert(o->item_count <= o->item_cap);
}

static struct outbox_item *item_at(const struct outbox *o, size_t i)
{
    return &o->items[(o->item_head + i) & (o->item_cap - 1)];
}

/* Memory of its own for so many items, at least as many as there are. */
static bool own_items(struct outbox *o, size_t cap)
{
    struct outbox_item *items = calloc(cap, sizeof(*items));

    if (items == NULL)
        return false;
    for (size_t i = 0; i < o->item_count; i++)
        items[i] = *item_at(o, i);
    if (!are_items_lent(o))
        free(o->items);
    o->items = items;
    o->item_cap = cap;
    o->item_head = 0;
    return true;
}

static bool grow_items(struct outbox *o)
{
    return own_items(o, o->item_cap == 0 ? ITEMS_MIN : o->item_cap * 2);
}

/* Memory of its own for so many bytes, at least as many as there are. */
static bool own_bytes(struct outbox *o, size_t cap)
{
    size_t len = o->tail - o->head;
    uint8_t *bytes = malloc(cap);

    if (bytes == NULL)
        return false;
    if (len > 0)
        memcpy(bytes, o->bytes + o->head, len);
    if (!are_bytes_lent(o))
        free(o->bytes);
    o->bytes = bytes;
    o->cap = cap;
    o->head = 0;
    o->tail = len;
    return true;
}

/* What is sent makes room, if that is enough. */
static bool grow_bytes(struct outbox *o, size_t len)
{
    size_t have = o->tail - o->head;
    size_t want = 0;
    size_t cap = are_bytes_lent(o) ? 0 : o->cap;

    if (num_add_overflows(have, len, &want))
        return false;
    if (want <= o->cap) {
        memmove(o->bytes, o->bytes + o->head, have);
        o->tail = have;
        o->head = 0;
        return true;
    }
    if (cap < BYTES_MIN)
        cap = BYTES_MIN;
    while (cap < want) {
        if (cap > SIZE_MAX / 2)
            return false;
        cap *= 2;
    }
    return own_bytes(o, cap);
}

uint8_t *outbox_reserve(struct outbox *o, size_t len)
{
    if (o->cap == 0 && o->items == NULL && o->pool != NULL &&
        o->pool->free != NULL) {
        borrow(o);
        if (len <= o->cap)
            return o->bytes;
    }
    if (o->item_count == o->item_cap && !grow_items(o))
        return NULL;
    if (len > o->cap - o->tail && !grow_bytes(o, len))
        return NULL;
    return o->bytes + o->tail;
}

void outbox_commit(struct outbox *o, const struct outbox_item *item)
{
    check(o);
    assert(item->len > 0);
    assert(item->len <= o->cap - o->tail);
    assert(o->item_count < o->item_cap);
    o->tail += item->len;
    o->cost += item->cost;
    if (item->kind == OUTBOX_CONTROL)
        o->control_bytes += item->len;
    *item_at(o, o->item_count) = *item;
    o->item_count++;
}

void outbox_cancel(struct outbox *o)
{
    if (o->item_count > 0)
        return;
    if (!are_bytes_lent(o) || !are_items_lent(o)) {
        outbox_done(o);
        return;
    }
    give_back(o);
    o->bytes = NULL;
    o->cap = 0;
    o->items = NULL;
    o->item_cap = 0;
}

/* ---- emptying ---- */

void outbox_sent(struct outbox *o, size_t len)
{
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
    const struct outbox_item *item = NULL;

    if (o->item_count == 0)
        return false;
    item = item_at(o, 0);
    if (o->head_sent < item->len)
        return false;
    *ret = *item;
    o->head_sent -= item->len;
    o->item_head = (o->item_head + 1) & (o->item_cap - 1);
    o->item_count--;
    uncharge(o, ret);
    if (o->item_count == 0)
        outbox_done(o); /* an idle peer holds no buffer */
    return true;
}

/* Give back most of what a queue took that is nearly empty again, but not
 * quite: it is memory that is counted nowhere. */
static void give_slack_back(struct outbox *o)
{
    size_t len = o->tail - o->head;

    if (o->item_count > 0 && o->cap / 4 > len + BYTES_MIN)
        IGNORE(!own_bytes(o, 2 * len), "the room as it was will do");
}

void outbox_settle(struct outbox *o)
{
    size_t cap = ITEMS_MIN;

    if (o->room == NULL) {
        give_slack_back(o);
        return;
    }
    assert(o->item_count > 0);
    while (cap < o->item_count)
        cap *= 2;
    if ((are_items_lent(o) && !own_items(o, cap)) ||
        (are_bytes_lent(o) && !own_bytes(o, o->tail - o->head)))
        return;
    give_back(o);
}

/* Keep no more room than what is left takes. */
static void shrink(struct outbox *o)
{
    size_t len = o->tail - o->head;
    uint8_t *bytes = NULL;

    memmove(o->bytes, o->bytes + o->head, len);
    o->head = 0;
    o->tail = len;
    if (are_bytes_lent(o))
        return;
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
