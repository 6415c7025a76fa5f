#include "net/watch.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "net/worker.h"

/* ---- lists ---- */

static void append(struct watch_list *list, struct watch *w)
{
    w->next = NULL;
    w->prev = list->last;
    if (w->prev != NULL) {
        w->prev->next = w;
    } else {
        list->first = w;
    }
    list->last = w;
}

static void take_off(struct watch_list *list, struct watch *w)
{
    if (w->prev != NULL) {
        w->prev->next = w->next;
    } else {
        list->first = w->next;
    }
    if (w->next != NULL) {
        w->next->prev = w->prev;
    } else {
        list->last = w->prev;
    }
}

/* ---- the kernel ---- */

/* 0 or -errno.  Without events it is asked for none. */
static int tell(struct watch *w, int what, unsigned events)
{
    struct epoll_event event = {.data.ptr = w};

    if (events & WATCH_READ)
        event.events |= EPOLLIN;
    if (events & WATCH_WRITE)
        event.events |= EPOLLOUT;
    if (events & WATCH_HANGUP)
        event.events |= EPOLLRDHUP;
    return epoll_ctl(w->worker->epoll, what, w->fd, &event) < 0 ? -errno : 0;
}

bool watch_forget(struct watch *w)
{
    if (w->added && tell(w, EPOLL_CTL_DEL, 0) != 0)
        return false;
    w->added = false;
    w->known = 0;
    return true;
}

/* What is wanted and nothing else; false: it does not know. */
static bool make_known(struct watch *w)
{
    if (tell(w, w->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->wanted) != 0)
        return false;
    w->added = true;
    w->known = w->wanted;
    return true;
}

/* ---- public ---- */

int watch_start(
    struct watch *w, struct worker *worker, int fd, watch_ready_fn *ready)
{
    int failed = 0;

    assert(fd >= 0);
    *w = (struct watch){.worker = worker, .ready = ready, .fd = fd};
    failed = tell(w, EPOLL_CTL_ADD, WATCH_READ);
    if (failed != 0) {
        w->fd = -1;
        return failed;
    }
    w->added = true;
    w->known = WATCH_READ;
    return 0;
}

void watch_want(struct watch *w, unsigned events)
{
    assert(w->fd >= 0);
    assert(events <= (WATCH_READ | WATCH_WRITE | WATCH_HANGUP));
    w->wanted = (uint8_t)events;
    if ((events & ~(unsigned)w->known) == 0 || w->changed)
        return;
    w->changed = true;
    append(&w->worker->changed, w);
}

void watch_stop(struct watch *w, watch_gone_fn *gone)
{
    assert(w->fd >= 0);
    if (w->changed)
        take_off(&w->worker->changed, w);
    w->changed = false;
    IGNORE(!watch_forget(w), "the descriptor's end does");
    /* An event of this round may still name it. */
    w->fd = -1;
    w->gone = gone;
    append(&w->worker->gone, w);
}

void watch_tell_changed(struct worker *worker)
{
    while (worker->changed.first != NULL) {
        struct watch *w = worker->changed.first;

        take_off(&worker->changed, w);
        w->changed = false;
        if ((w->wanted & ~(unsigned)w->known) != 0 && !make_known(w))
            w->ready(w, WATCH_FAILED);
    }
}

/* It tells of what nobody wants; of errors it tells in any case, but for what
 * it does not watch at all. */
static void quieten(struct watch *w)
{
    if (w->wanted == 0 ? !watch_forget(w) : !make_known(w))
        w->ready(w, WATCH_FAILED);
}

void watch_dispatch(struct watch *w, uint32_t epoll_events)
{
    unsigned events = 0;

    if (w->fd < 0)
        return;
    if (epoll_events & EPOLLIN)
        events |= WATCH_READ;
    if (epoll_events & EPOLLOUT)
        events |= WATCH_WRITE;
    if (epoll_events & EPOLLRDHUP)
        events |= WATCH_HANGUP;
    if (epoll_events & (EPOLLERR | EPOLLHUP))
        events |= WATCH_READ | WATCH_WRITE | WATCH_HANGUP;
    events &= w->wanted;
    if (events == 0) {
        quieten(w);
    } else {
        w->ready(w, events);
    }
}

void watch_reap(struct worker *worker)
{
    while (worker->gone.first != NULL) {
        struct watch *w = worker->gone.first;

        take_off(&worker->gone, w);
        if (w->gone != NULL)
            w->gone(w);
    }
}
