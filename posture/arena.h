/*
 * arena: memory that is released all at once.
 *
 * Everything allocated lives until arena_done().  A failed allocation (out of
 * memory, or past the limit) is remembered in failed: build first, look once.
 * What arena_text() returns is
 * never NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t total;               /* bytes handed out and lost at chunk ends */
    size_t limit;               /* bytes */
    bool failed;
};

NONNULL void arena_init(struct arena *arena, size_t limit);
NONNULL void arena_done(struct arena *arena);

/* Zeroed and aligned for any type; NULL sets failed. */
NONNULL void *arena_alloc(struct arena *arena, size_t size);

/* A NUL-terminated copy. */
NONNULL const char *arena_text(struct arena *arena, struct span bytes);

/*
 * Room for one more item behind the count items of size bytes at items: the
 * array to use from now on, or NULL.  The array is only grown by this.
 */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t size);
