/*
 * mailbox: how one worker is handed something by another thread.
 *
 * Any thread posts, the worker that opened the mailbox delivers, in the order
 * of posting.  Nothing is allocated and no lock is taken: a letter is part of
 * what it carries, and is the receiver's from mailbox_post() on.  An
 * eventfd(2) wakes the loop, once for all letters that wait.
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
    struct watch bell;
    int fd; /* of the bell; 0 while it never was open */
    _Atomic(struct mail *) newest;
    void *owner;
};

/* 0 or -errno. */
MUST_CHECK NONNULL int mailbox_open(
    struct mailbox *box, struct worker *w, void *owner);
/* Nobody posts any more; before worker_done().  Safe on one that is all zero.
 */
NONNULL void mailbox_close(struct mailbox *box);

/* Post; box must be open, and its worker not done. */
NONNULL void mailbox_post(struct mailbox *box, struct mail *mail);

/* Deliver what is there.  The loop does so by itself; called by hand only
 * where it no longer runs. */
NONNULL void mailbox_deliver(struct mailbox *box);
