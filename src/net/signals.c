#include "net/signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/own.h"

static void on_ready(struct watch *w, unsigned events)
{
    struct signals *s =
        (struct signals *)(void *)((char *)w - offsetof(struct signals, watch));
    struct signalfd_siginfo info;

    (void)events;
    while (s->fd != 0 && read(s->fd, &info, sizeof(info)) == sizeof(info))
        s->arrived(s, (int)info.ssi_signo);
}

int signals_start(struct signals *s, struct worker *w, const sigset_t *which)
{
    CLOSES int fd = signalfd(-1, which, SFD_CLOEXEC | SFD_NONBLOCK);
    int failed = fd < 0 ? -errno : 0;

    if (failed == 0)
        failed = watch_start(&s->watch, w, fd, on_ready);
    if (failed != 0)
        return failed;
    failed = -pthread_sigmask(SIG_BLOCK, which, NULL);
    if (failed != 0) {
        watch_stop(&s->watch, NULL);
        return failed;
    }
    watch_want(&s->watch, WATCH_READ);
    s->fd = take_fd(&fd);
    return 0;
}

void signals_stop(struct signals *s)
{
    if (s->fd == 0)
        return;
    watch_stop(&s->watch, NULL);
    (void)close(s->fd);
    s->fd = 0;
}
