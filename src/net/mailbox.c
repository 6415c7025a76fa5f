#include "net/mailbox.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/own.h"

/* Whoever finds the mailbox empty rings; until the bell is heard, all letters
 * behind that one come with it. */
void mailbox_post(struct mailbox *box, struct mail *mail)
{
    struct mail *newest =
        atomic_load_explicit(&box->newest, memory_order_relaxed);

    do {
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&box->newest, &newest, mail,
        memory_order_release, memory_order_relaxed));
    if (newest == NULL)
        IGNORE(eventfd_write(box->fd, 1) < 0, "it is full of rings already");
}

/* The list is newest first; its reverse is the order of posting. */
static struct mail *oldest_first(struct mail *newest)
{
    struct mail *oldest = NULL;

    while (newest != NULL) {
        struct mail *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void mailbox_deliver(struct mailbox *box)
{
    struct mail *mail = oldest_first(
        atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire));

    while (mail != NULL) {
        struct mail *next = mail->next;

        mail->fn(box->owner, mail);
        mail = next;
    }
}

/* Silence the bell first: a letter that comes later rings again. */
static void on_bell(struct watch *bell, unsigned events)
{
    struct mailbox *box =
        (struct mailbox *)(void *)((char *)bell -
                                   offsetof(struct mailbox, bell));
    eventfd_t rings = 0;

    (void)events;
    IGNORE(eventfd_read(box->fd, &rings) < 0, "somebody else heard it");
    mailbox_deliver(box);
}

int mailbox_open(struct mailbox *box, struct worker *w, void *owner)
{
    CLOSES int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = fd < 0 ? -errno : 0;

    if (failed == 0)
        failed = watch_start(&box->bell, w, fd, on_bell);
    if (failed != 0)
        return failed;
    watch_want(&box->bell, WATCH_READ);
    box->fd = take_fd(&fd);
    box->owner = owner;
    atomic_init(&box->newest, NULL);
    return 0;
}

void mailbox_close(struct mailbox *box)
{
    if (box->fd == 0)
        return;
    watch_stop(&box->bell, NULL);
    (void)close(box->fd);
    box->fd = 0;
}
