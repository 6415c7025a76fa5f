#include "net/mailbox.h"

#include <stddef.h>

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    struct mail *newest =
        atomic_load_explicit(&box->newest, memory_order_relaxed);

    do {
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&box->newest, &newest, mail,
        memory_order_release, memory_order_relaxed));
    (void)uv_async_send(&box->async);
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

static void on_async(uv_async_t *async)
{
    mailbox_deliver(async->data);
}

int mailbox_open(struct mailbox *box, struct worker *w, void *owner)
{
    int failed = uv_async_init(&w->loop, &box->async, on_async);

    if (failed != 0)
        return failed;
    box->async.data = box;
    box->owner = owner;
    atomic_init(&box->newest, NULL);
    return 0;
}
