/*
 * watch: one descriptor on a worker's loop, by epoll(7), level-triggered.
 *
 * Embed a watch in what owns it.  The worker's thread alone calls these; its
 * ready function is called from the loop while what was asked for holds.
 * What the kernel is told is changed lazily: to want more takes effect before
 * the loop waits again, to want less once an event comes that nobody wants.
 *
 * The descriptor is the caller's, who closes it after watch_stop().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum watch_event {
    WATCH_READ = 1,
    WATCH_WRITE = 2,
    WATCH_HANGUP = 4, /* the peer ended its side; for who does not read */
    /* The kernel does not watch it any more: it has no memory.  Nothing
     * follows; to be stopped.  Comes whether wanted or not. */
    WATCH_FAILED = 8,
};

struct watch;
struct worker;

/* events: those of enum watch_event that hold and are wanted; an error of the
 * descriptor holds as each of the first three. */
typedef void watch_ready_fn(struct watch *w, unsigned events);
typedef void watch_gone_fn(struct watch *w);

struct watch {
    struct worker *worker;
    union {
        watch_ready_fn *ready;
        watch_gone_fn *gone; /* once stopped; NULL: nobody is told */
    };
    struct watch *prev; /* in the worker's list of those that are to be told */
    struct watch *next; /* to the kernel, or of those that are stopped */
    int fd;             /* -1 while stopped */
    uint8_t wanted;
    uint8_t known; /* what the kernel tells of */
    bool added;    /* the kernel watches it */
    bool changed;  /* on that list */
};

/* A list of watches. */
struct watch_list {
    struct watch *first;
    struct watch *last;
};

/* 0 or -errno.  Nothing is wanted yet; the kernel is told of reading already,
 * since nearly everybody wants that at once. */
MUST_CHECK NONNULL int watch_start(
    struct watch *w, struct worker *worker, int fd, watch_ready_fn *ready);

/* Some of READ, WRITE and HANGUP. */
NONNULL void watch_want(struct watch *w, unsigned events);

/* Have the kernel watch it no more until the next watch_want(); before
 * watch_stop() where the descriptor is kept open.  False: it still does. */
MUST_CHECK NONNULL bool watch_forget(struct watch *w);

/*
 * Nothing is ready any more, and the descriptor is to be closed; gone, unless
 * it is NULL, is called from the loop at the end of its round, and the watch
 * lives until then.
 */
__attribute__((nonnull(1))) void watch_stop(
    struct watch *w, watch_gone_fn *gone);

/* ---- for the worker's loop ---- */

/* Tell the kernel what has changed. */
NONNULL void watch_tell_changed(struct worker *worker);
/* The kernel says so of it. */
NONNULL void watch_dispatch(struct watch *w, uint32_t epoll_events);
/* Call the gone functions of those that were stopped. */
NONNULL void watch_reap(struct worker *worker);
