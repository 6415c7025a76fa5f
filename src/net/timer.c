#include "net/timer.h"

#include <assert.h>

enum { REST_TICKS = TIMER_REST_MS / TIMER_TICK_MS };

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    for (size_t i = 0; i < TIMER_SLOTS; i++) {
        wheel->slots[i].prev = &wheel->slots[i];
        wheel->slots[i].next = &wheel->slots[i];
    }
    wheel->tick = now_ms / TIMER_TICK_MS;
    wheel->next_tick = wheel->tick + REST_TICKS;
    wheel->count = 0;
}

bool timer_is_set(const struct timer *t)
{
    return t->prev != NULL;
}

static void unlink_timer(struct timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->prev = NULL;
    t->next = NULL;
}

static void link_before(struct timer *head, struct timer *t)
{
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

void timer_cancel(struct timer_wheel *wheel, struct timer *t)
{
    if (!timer_is_set(t))
        return;
    unlink_timer(t);
    assert(wheel->count > 0);
    wheel->count--;
}

void timer_set(struct timer_wheel *wheel, struct timer *t, uint64_t at_ms)
{
    uint64_t tick = at_ms / TIMER_TICK_MS + 1;

    timer_cancel(wheel, t);
    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    if (tick < wheel->next_tick)
        wheel->next_tick = tick;
    t->at_ms = at_ms;
    link_before(&wheel->slots[tick % TIMER_SLOTS], t);
    wheel->count++;
}

/*
 * The timers of one slot are first moved to a list of their own: a function
 * that sets a timer into the same slot must not be met again in this round.
 */
static void advance_slot(
    struct timer_wheel *wheel, struct timer *head, uint64_t now_ms)
{
    struct timer due = {.prev = &due, .next = &due};

    if (head->next == head)
        return;
    due.next = head->next;
    due.prev = head->prev;
    due.next->prev = &due;
    due.prev->next = &due;
    head->next = head;
    head->prev = head;
    while (due.next != &due) {
        struct timer *t = due.next;

        unlink_timer(t);
        wheel->count--;
        if (t->at_ms > now_ms) {
            timer_set(wheel, t, t->at_ms);
        } else {
            t->fn(t, now_ms);
        }
    }
}

/* The first slot ahead that is not empty, whatever turn it waits for. */
static void look_ahead(struct timer_wheel *wheel)
{
    uint64_t last = wheel->tick + REST_TICKS;
    uint64_t tick = wheel->tick + 1;

    while (tick < last) {
        const struct timer *head = &wheel->slots[tick % TIMER_SLOTS];

        if (head->next != head)
            break;
        tick++;
    }
    wheel->next_tick = tick;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
    uint64_t target = now_ms / TIMER_TICK_MS;

    if (target <= wheel->tick)
        return;
    if (target - wheel->tick > TIMER_SLOTS)
        wheel->tick = target - TIMER_SLOTS;
    while (wheel->tick < target) {
        wheel->tick++;
        advance_slot(wheel, &wheel->slots[wheel->tick % TIMER_SLOTS], now_ms);
    }
    look_ahead(wheel);
}
