/*
 * log_flood: which lines of a flood are written.
 *
 * In any second at most LOG_FLOOD_LINES lines of one event are; what is left
 * out is counted until somebody says so.  Pure data; the caller passes the
 * clock and serializes the calls.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    LOG_FLOOD_LINES = 10,       /* of one event within the time below */
    LOG_FLOOD_WINDOW_MS = 1000, /* any such span, not a fixed raster */
    LOG_FLOOD_EVENTS = 128,     /* a power of two; the program has about 60 */
};

struct log_flood_event {
    const char *msg;                 /* a constant; NULL: a free row */
    uint64_t at_ms[LOG_FLOOD_LINES]; /* of the latest lines, a ring */
    size_t lines;                    /* written so far */
    uint64_t left_out;               /* and not yet said */
};

/* All zero is an empty one. */
struct log_flood {
    struct log_flood_event events[LOG_FLOOD_EVENTS];
    uint64_t unnamed; /* left out of events that found no row */
    uint64_t total;   /* left out since the start */
};

/*
 * May a line of that event be written now?  If so, *ret_left_out lines before
 * it were not, and the line says that.  msg outlives the table.  An event
 * that finds the table full is not limited.
 */
MUST_CHECK NONNULL bool log_flood_admit(struct log_flood *f, const char *msg,
    uint64_t now_ms, uint64_t *ret_left_out);

/* A line that was admitted could not be written: left_out is what it would
 * have said. */
NONNULL void log_flood_lost(
    struct log_flood *f, const char *msg, uint64_t left_out);

/* Take an event with lines left out, to say so; NULL: there is none.  Events
 * that found no row are "(several)". */
MUST_CHECK NONNULL const char *log_flood_take(
    struct log_flood *f, uint64_t *ret_left_out);
