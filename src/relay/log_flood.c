#include "relay/log_flood.h"

#include <string.h>

/* FNV-1a; the events are ours, nobody chooses collisions. */
static size_t hash(const char *msg)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *msg != '\0'; msg++)
        h = (h ^ (uint8_t)*msg) * UINT64_C(0x100000001b3);
    return (size_t)(h ^ h >> 32);
}

/* The event's row, made if need be; NULL: the table is full. */
static struct log_flood_event *find(struct log_flood *f, const char *msg)
{
    size_t at = hash(msg);

    for (size_t i = 0; i < LOG_FLOOD_EVENTS; i++) {
        struct log_flood_event *e =
            &f->events[(at + i) & (LOG_FLOOD_EVENTS - 1)];

        if (e->msg == NULL)
            e->msg = msg;
        if (e->msg == msg || strcmp(e->msg, msg) == 0)
            return e;
    }
    return NULL;
}

bool log_flood_admit(struct log_flood *f, const char *msg, uint64_t now_ms,
    uint64_t *ret_left_out)
{
    struct log_flood_event *e = find(f, msg);
    uint64_t *oldest = NULL;

    if (e == NULL) {
        *ret_left_out = 0;
        return true;
    }
    oldest = &e->at_ms[e->lines % LOG_FLOOD_LINES];
    if (e->lines >= LOG_FLOOD_LINES && now_ms - *oldest < LOG_FLOOD_WINDOW_MS) {
        e->left_out++;
        f->total++;
        return false;
    }
    *oldest = now_ms;
    e->lines++;
    *ret_left_out = e->left_out;
    e->left_out = 0;
    return true;
}

void log_flood_lost(struct log_flood *f, const char *msg, uint64_t left_out)
{
    struct log_flood_event *e = find(f, msg);

    f->total++;
    if (e == NULL) {
        f->unnamed++;
    } else {
        e->left_out += left_out + 1;
    }
}

const char *log_flood_take(struct log_flood *f, uint64_t *ret_left_out)
{
    for (size_t i = 0; i < LOG_FLOOD_EVENTS; i++) {
        struct log_flood_event *e = &f->events[i];

        if (e->left_out == 0)
            continue;
        *ret_left_out = e->left_out;
        e->left_out = 0;
        return e->msg;
    }
    if (f->unnamed == 0)
        return NULL;
    *ret_left_out = f->unnamed;
    f->unnamed = 0;
    return "(several)";
}
