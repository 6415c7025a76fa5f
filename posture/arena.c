#include "posture/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum {
    CHUNK_BYTES = 16384,
    ALIGNMENT = 16,
};

struct arena_chunk {
    struct arena_chunk *next;
    size_t used; /* bytes */
    size_t cap;  /* bytes */
    size_t pad;
    unsigned char bytes[];
};

_Static_assert(sizeof(struct arena_chunk) % ALIGNMENT == 0,
    "the first byte of a chunk is aligned");

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

void arena_done(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    *arena = (struct arena){.limit = arena->limit};
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size)
{
    size_t cap = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    struct arena_chunk *chunk = NULL;

    if (cap > arena->limit - arena->total)
        return NULL;
    chunk = calloc(1, sizeof(*chunk) + cap);
    if (chunk == NULL)
        return NULL;
    chunk->cap = cap;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->total += cap;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;
    size_t rounded = 0;

    if (num_add_overflows(size, ALIGNMENT, &rounded) ||
        rounded > arena->limit) {
        arena->failed = true;
        return NULL;
    }
    rounded -= rounded % ALIGNMENT;
    if (chunk == NULL || rounded > chunk->cap - chunk->used)
        chunk = add_chunk(arena, rounded);
    if (chunk == NULL) {
        arena->failed = true;
        return NULL;
    }

    void *at = chunk->bytes + chunk->used;

    chunk->used += rounded;
    return at;
}

const char *arena_text(struct arena *arena, struct span bytes)
{
    char *copy = NULL;

    if (bytes.len == 0)
        return "";
    if (bytes.len == SIZE_MAX) {
        arena->failed = true;
        return "";
    }
    copy = arena_alloc(arena, bytes.len + 1);
    if (copy == NULL)
        return "";
    memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t size)
{
    bool full = (count & (count - 1)) == 0; /* 0, 1, 2, 4, 8 ... */
    size_t bytes = 0;
    void *grown = NULL;

    if (!full)
        return items;
    if (__builtin_mul_overflow(count == 0 ? 1 : count * 2, size, &bytes)) {
        arena->failed = true;
        return NULL;
    }
    grown = arena_alloc(arena, bytes);
    if (grown != NULL && count > 0)
        memcpy(grown, items, count * size);
    return grown;
}
