/*
 * uid_map: what uid 0 is outside of this user namespace, from the bytes of
 * /proc/self/uid_map, see user_namespaces(7).
 *
 * Pure.  Decides by the mapping and never by the namespace's inode.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum uid_map_root {
    UID_MAP_UNKNOWN,  /* no map, or not one */
    UID_MAP_REAL,     /* 0 is 0 outside */
    UID_MAP_MAPPED,   /* 0 is another user outside */
    UID_MAP_UNMAPPED, /* 0 is nobody's */
};

struct uid_map {
    enum uid_map_root root;
    uint32_t inside; /* the line that holds 0; set when it is mapped */
    uint32_t outside;
    uint32_t count;
};

/* UID_MAP_UNKNOWN if any line is malformed or has no end. */
NONNULL void uid_map_parse(struct span in, struct uid_map *ret);
