#include "relay/heap.h"

#include <malloc.h>

enum {
    WAVE = 64,   /* handshakes that are worth it */
    QUIET = 16,  /* of a second after which a wave is over */
    WAIT_S = 30, /* for a wave that does not end */
};

bool heap_is_due(struct heap_watch *w, uint64_t handshakes)
{
    uint64_t lately = handshakes - w->seen;

    w->seen = handshakes;
    if (handshakes - w->trimmed < WAVE) {
        w->waited = 0;
        return false;
    }
    w->waited++;
    if (lately > QUIET && w->waited < WAIT_S)
        return false;
    w->trimmed = handshakes;
    w->waited = 0;
    return true;
}

void heap_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
