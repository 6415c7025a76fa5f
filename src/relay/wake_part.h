/* wake_part: what the two files of wake share.  See wake.h. */
#pragma once

#include "relay/relay.h"
#include "relay/wake.h"

/* A holder that is no id. */
enum {
    WAKE_SLOT_FREE = 0,
    WAKE_SLOT_BUSY = 1,            /* is being filled or emptied */
    WAKE_SLOT_FIRST = LIMIT_WAKES, /* ids: a serial, and the slot's index */
};

/* Take the slot of that wake for emptying; NULL: it has ended already. */
NONNULL struct wake_slot *wake_slot_take(struct wakes *w, uint32_t id);
NONNULL void wake_slot_free(struct wake_slot *slot);
