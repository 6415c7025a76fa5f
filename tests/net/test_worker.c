/* The loop: what is watched, letters, signals, deadlines, and what happens
 * when one of them ends another within a round. */
#include "net/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/mailbox.h"
#include "net/signals.h"

#include "cmocka_all.h"

static struct worker loop;

/* One end of a socket pair that is watched, and what was heard of it. */
struct ear {
    struct watch watch;
    int mine;
    int other;
    int heard; /* calls */
    unsigned events;
    int gone;
    struct watch *stops; /* when it is called; NULL: nobody */
};

static struct ear *ear_of(struct watch *w)
{
    return (struct ear *)(void *)((char *)w - offsetof(struct ear, watch));
}

static void on_gone(struct watch *w)
{
    ear_of(w)->gone++;
}

static void on_ready(struct watch *w, unsigned events)
{
    struct ear *ear = ear_of(w);

    ear->heard++;
    ear->events |= events;
    if (ear->stops != NULL && ear->stops->fd >= 0)
        watch_stop(ear->stops, on_gone);
}

static void ear_open(struct ear *ear, struct worker *w)
{
    int ends[2];

    memset(ear, 0, sizeof(*ear));
    assert_int_equal(socketpair(AF_UNIX,
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
        0);
    ear->mine = ends[0];
    ear->other = ends[1];
    assert_int_equal(watch_start(&ear->watch, w, ear->mine, on_ready), 0);
}

static void ear_close(struct ear *ear)
{
    if (ear->watch.fd >= 0)
        watch_stop(&ear->watch, NULL);
    (void)close(ear->mine);
    if (ear->other >= 0)
        (void)close(ear->other);
}

/* What was heard since the last call, in so many rounds. */
static unsigned hear(struct ear *ear, struct worker *w, int rounds)
{
    ear->events = 0;
    ear->heard = 0;
    for (int i = 0; i < rounds; i++)
        worker_run_once(w);
    return ear->events;
}

static void send_byte(const struct ear *ear)
{
    assert_int_equal(send(ear->other, "x", 1, 0), 1);
}

static void only_what_is_wanted_is_told(void **state)
{
    struct ear ear;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&ear, &loop);
    send_byte(&ear);
    assert_int_equal(hear(&ear, &loop, 3), 0);
    watch_want(&ear.watch, WATCH_READ);
    assert_int_equal(hear(&ear, &loop, 3), WATCH_READ);
    assert_int_equal(ear.heard, 3); /* level-triggered */
    watch_want(&ear.watch, WATCH_READ | WATCH_WRITE);
    assert_int_equal(hear(&ear, &loop, 1), WATCH_READ | WATCH_WRITE);
    watch_want(&ear.watch, WATCH_WRITE);
    assert_int_equal(hear(&ear, &loop, 2), WATCH_WRITE);
    watch_want(&ear.watch, 0);
    assert_int_equal(hear(&ear, &loop, 3), 0);
    watch_want(&ear.watch, WATCH_HANGUP);
    assert_int_equal(hear(&ear, &loop, 3), 0);
    assert_int_equal(shutdown(ear.other, SHUT_WR), 0);
    assert_int_equal(hear(&ear, &loop, 1), WATCH_HANGUP);
    ear_close(&ear);
    worker_done(&loop);
}

/* How many system calls a change costs shows in what the kernel knows. */
static void the_kernel_is_told_lazily(void **state)
{
    struct ear ear;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&ear, &loop);
    assert_int_equal(ear.watch.known, WATCH_READ);
    watch_want(&ear.watch, WATCH_READ);
    assert_false(ear.watch.changed);
    watch_want(&ear.watch, 0);
    worker_run_once(&loop);
    assert_int_equal(ear.watch.known, WATCH_READ); /* nothing came */
    watch_want(&ear.watch, WATCH_READ | WATCH_WRITE);
    watch_want(&ear.watch, WATCH_READ); /* before anybody was told */
    worker_run_once(&loop);
    assert_int_equal(ear.watch.known, WATCH_READ);
    watch_want(&ear.watch, 0);
    send_byte(&ear);
    worker_run_once(&loop);
    assert_int_equal(ear.watch.known, 0); /* it came once, and not again */
    assert_int_equal(epoll_wait(loop.epoll, loop.events, 1, 0), 0);
    ear_close(&ear);
    worker_done(&loop);
}

/* Errors are told of whether wanted or not: who wants nothing must not spin
 * over them, and finds them once it wants something. */
static void an_error_nobody_waits_for_is_quiet(void **state)
{
    struct ear ear;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&ear, &loop);
    (void)close(ear.other);
    ear.other = -1;
    assert_int_equal(hear(&ear, &loop, 2), 0);
    assert_int_equal(epoll_wait(loop.epoll, loop.events, 1, 0), 0);
    watch_want(&ear.watch, WATCH_WRITE);
    assert_int_equal(hear(&ear, &loop, 1), WATCH_WRITE);
    watch_want(&ear.watch, WATCH_HANGUP);
    assert_int_equal(hear(&ear, &loop, 1), WATCH_HANGUP);
    ear_close(&ear);
    worker_done(&loop);
}

static void whoever_is_stopped_in_a_round_hears_nothing_more(void **state)
{
    struct ear a;
    struct ear b;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&a, &loop);
    ear_open(&b, &loop);
    a.stops = &b.watch;
    b.stops = &a.watch;
    watch_want(&a.watch, WATCH_READ);
    watch_want(&b.watch, WATCH_READ);
    send_byte(&a);
    send_byte(&b);
    worker_run_once(&loop);
    assert_int_equal(a.heard + b.heard, 1);
    assert_int_equal(a.gone + b.gone, 1);
    assert_int_equal(a.heard, b.gone);
    worker_run_once(&loop);
    assert_int_equal(a.heard + b.heard, 2);
    assert_int_equal(a.gone + b.gone, 1);
    ear_close(&a);
    ear_close(&b);
    worker_done(&loop);
}

static void one_may_stop_itself(void **state)
{
    struct ear ear;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&ear, &loop);
    ear.stops = &ear.watch;
    watch_want(&ear.watch, WATCH_READ | WATCH_WRITE);
    send_byte(&ear);
    assert_int_equal(hear(&ear, &loop, 3), WATCH_READ | WATCH_WRITE);
    assert_int_equal(ear.heard, 1);
    assert_int_equal(ear.gone, 1);
    ear_close(&ear);
    worker_done(&loop);
}

/* Its change was not told yet, and then it is stopped. */
static void a_change_of_what_is_stopped_is_forgotten(void **state)
{
    struct ear ear;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&ear, &loop);
    watch_want(&ear.watch, WATCH_WRITE);
    watch_stop(&ear.watch, on_gone);
    assert_int_equal(ear.gone, 0); /* never from within */
    assert_int_equal(hear(&ear, &loop, 2), 0);
    assert_int_equal(ear.gone, 1);
    ear_close(&ear);
    worker_done(&loop);
}

/* The same when the loop never runs again. */
static void the_end_of_a_worker_lets_go_of_what_was_stopped(void **state)
{
    struct ear ear;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    ear_open(&ear, &loop);
    watch_stop(&ear.watch, on_gone);
    worker_done(&loop);
    assert_int_equal(ear.gone, 1);
    ear_close(&ear);
}

static void what_the_kernel_cannot_watch_is_said(void **state)
{
    struct ear ear;
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    assert_true(file >= 0);
    assert_int_equal(watch_start(&ear.watch, &loop, file, on_ready), -EPERM);
    (void)close(file);
    ear_open(&ear, &loop);
    (void)close(ear.mine); /* the kernel refuses the next change */
    watch_want(&ear.watch, WATCH_WRITE);
    assert_int_equal(hear(&ear, &loop, 2), WATCH_FAILED);
    assert_int_equal(ear.heard, 1);
    ear.mine = -1;
    ear_close(&ear);
    worker_done(&loop);
}

/* ---- letters ---- */

struct letter {
    struct mail mail;
    int number;
};

struct reader {
    struct mailbox box;
    struct worker *worker;
    int last;
    int count;
};

static void on_letter(void *owner, struct mail *mail)
{
    struct reader *reader = owner;
    const struct letter *letter = (const struct letter *)(const void *)mail;

    if (letter->number != reader->last + 1)
        fail_msg("%d after %d", letter->number, reader->last);
    reader->last = letter->number;
    reader->count++;
}

static void letters_come_in_order_with_one_ring(void **state)
{
    struct reader reader = {.worker = &loop};
    struct letter letters[5];
    eventfd_t rings = 0;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    assert_int_equal(mailbox_open(&reader.box, &loop, &reader), 0);
    for (int i = 0; i < 5; i++) {
        letters[i] = (struct letter){.mail.fn = on_letter, .number = i + 1};
        mailbox_post(&reader.box, &letters[i].mail);
    }
    assert_int_equal(eventfd_read(reader.box.fd, &rings), 0);
    assert_int_equal(rings, 1);
    assert_int_equal(eventfd_write(reader.box.fd, 1), 0);
    worker_run_once(&loop);
    assert_int_equal(reader.count, 5);
    worker_run_once(&loop);
    assert_int_equal(reader.count, 5);
    letters[0].number = 6;
    mailbox_post(&reader.box, &letters[0].mail); /* rings again */
    worker_run_once(&loop);
    assert_int_equal(reader.count, 6);
    mailbox_close(&reader.box);
    mailbox_close(&reader.box);
    worker_done(&loop);
}

static void on_last_letter(void *owner, struct mail *mail)
{
    struct reader *reader = owner;

    on_letter(owner, mail);
    worker_stop(reader->worker);
}

/* From another thread, to a worker that sleeps or is busy. */
static void letters_wake_a_worker(void **state)
{
    enum { LETTERS = 10000 };
    static struct letter letters[LETTERS];
    struct reader reader = {.worker = &loop};

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    assert_int_equal(mailbox_open(&reader.box, &loop, &reader), 0);
    assert_int_equal(worker_start(&loop), 0);
    for (int i = 0; i < LETTERS; i++) {
        letters[i] = (struct letter){
            .mail.fn = i == LETTERS - 1 ? on_last_letter : on_letter,
            .number = i + 1,
        };
        mailbox_post(&reader.box, &letters[i].mail);
    }
    worker_join(&loop);
    assert_int_equal(reader.count, LETTERS);
    mailbox_close(&reader.box);
    worker_done(&loop);
}

/* ---- deadlines ---- */

struct alarm {
    struct timer timer;
    struct worker *worker;
    uint64_t fired_ms;
};

static void on_alarm(struct timer *t, uint64_t now_ms)
{
    struct alarm *alarm =
        (struct alarm *)(void *)((char *)t - offsetof(struct alarm, timer));

    alarm->fired_ms = now_ms;
    worker_stop(alarm->worker);
}

/* It waits no longer than that, and not for less. */
static void a_worker_wakes_for_its_deadlines(void **state)
{
    struct alarm alarm = {.timer.fn = on_alarm, .worker = &loop};
    uint64_t at_ms = 0;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    at_ms = worker_now_ms(&loop) + 2 * (uint64_t)TIMER_TICK_MS;
    timer_set(&loop.timers, &alarm.timer, at_ms);
    worker_run(&loop);
    assert_true(alarm.fired_ms >= at_ms);
    assert_int_equal(worker_beat_ms(&loop), alarm.fired_ms);
    worker_done(&loop);
}

static void time_is_skipped_tick_by_tick(void **state)
{
    struct alarm alarm = {.timer.fn = on_alarm, .worker = &loop};
    uint64_t at_ms = 0;

    (void)state;
    assert_int_equal(worker_init(&loop), 0);
    at_ms = worker_now_ms(&loop) + 60000;
    timer_set(&loop.timers, &alarm.timer, at_ms);
    worker_skip_time(&loop, 50000);
    assert_int_equal(alarm.fired_ms, 0);
    worker_skip_time(&loop, 20000);
    assert_true(alarm.fired_ms >= at_ms);
    assert_true(worker_now_ms(&loop) >= at_ms + 10000);
    worker_done(&loop);
}

/* ---- signals ---- */

struct trap {
    struct signals signals;
    int count;
    int number;
};

static void on_signal(struct signals *s, int number)
{
    struct trap *trap = s->owner;

    trap->count++;
    trap->number = number;
}

static bool is_blocked(int number)
{
    sigset_t now;

    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    return sigismember(&now, number) == 1;
}

static void signals_are_events(void **state)
{
    struct trap trap = {.signals.arrived = on_signal, .signals.owner = &trap};
    sigset_t which;

    (void)state;
    (void)sigemptyset(&which);
    (void)sigaddset(&which, SIGUSR1);
    assert_int_equal(worker_init(&loop), 0);
    assert_int_equal(signals_start(&trap.signals, &loop, &which), 0);
    assert_true(is_blocked(SIGUSR1));
    worker_run_once(&loop);
    assert_int_equal(trap.count, 0);
    assert_int_equal(raise(SIGUSR1), 0);
    worker_run_once(&loop);
    assert_int_equal(trap.count, 1);
    assert_int_equal(trap.number, SIGUSR1);
    signals_stop(&trap.signals);
    signals_stop(&trap.signals);
    assert_true(is_blocked(SIGUSR1));
    assert_int_equal(raise(SIGUSR1), 0); /* its action would end us */
    worker_run_once(&loop);
    assert_int_equal(trap.count, 1);
    worker_done(&loop);
}

RUN_TESTS("worker", cmocka_unit_test(only_what_is_wanted_is_told),
    cmocka_unit_test(the_kernel_is_told_lazily),
    cmocka_unit_test(an_error_nobody_waits_for_is_quiet),
    cmocka_unit_test(whoever_is_stopped_in_a_round_hears_nothing_more),
    cmocka_unit_test(one_may_stop_itself),
    cmocka_unit_test(a_change_of_what_is_stopped_is_forgotten),
    cmocka_unit_test(the_end_of_a_worker_lets_go_of_what_was_stopped),
    cmocka_unit_test(what_the_kernel_cannot_watch_is_said),
    cmocka_unit_test(letters_come_in_order_with_one_ring),
    cmocka_unit_test(letters_wake_a_worker),
    cmocka_unit_test(a_worker_wakes_for_its_deadlines),
    cmocka_unit_test(time_is_skipped_tick_by_tick),
    cmocka_unit_test(signals_are_events));
