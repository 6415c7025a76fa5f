/*
 * mailbox: how one worker is handed something by another thread.
 *
 * Any thread posts, the worker that opened the mailbox delivers, in the order
 * of posting.  Nothing is allocated and no lock is taken: a letter is part of
 * what it carries, and is the receiver's from mailbox_post() on.  uv_async(3)
 * wakes the loop.
 */
#pragma once

#include <stdatomic.h>

#include "net/worker.h"

struct mail;
/* Runs on the receiving worker; owner is the mailbox's. */
typedef void mail_fn(void *owner, struct mail *mail);

struct mail {
    struct mail *next;
    mail_fn *fn;
};

struct mailbox {
    uv_async_t async;
    _Atomic(struct mail *) newest;
    void *owner;
};

/* 0 or -errno.  The worker's loop closes the handle (worker_done()). */
MUST_CHECK NONNULL int mailbox_open(
    struct mailbox *box, struct worker *w, void *owner);

/* Post; box must be open, and its worker not done. */
NONNULL void mailbox_post(struct mailbox *box, struct mail *mail);

/* Deliver what is there.  The loop does so by itself; called by hand only
 * where it no longer runs. */
NONNULL void mailbox_deliver(struct mailbox *box);
