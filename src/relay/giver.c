#include "relay/giver.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "net/local_socket.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/yield.h"
#include "wire/take_over_message.h"

static const struct local_descriptors no_descriptors = {.count = 0};
static const char ended_early[] = "it ended before it was ready";

static struct worker *worker_of(const struct giver *g)
{
    return &g->relay->control.worker;
}

static void count(struct giver *g, enum metric which)
{
    metrics_count(&g->relay->control.metrics, which);
}

static int say(int fd, const struct take_over_message *message,
    const struct local_descriptors *descriptors)
{
    uint8_t bytes[TAKE_OVER_MESSAGE_MAX];
    size_t len = take_over_message_encode(message, bytes);

    return len == 0 ? -EMSGSIZE
                    : local_socket_send(fd, span_of(bytes, len), descriptors);
}

static void refuse(int fd, enum take_over_refusal refusal)
{
    const struct take_over_message refused = {
        .type = TAKE_OVER_REFUSED,
        .refusal = refusal,
    };

    IGNORE(say(fd, &refused, &no_descriptors) < 0, "it then sees the end");
}

static void log_refused(struct giver *g, pid_t pid, const char *reason)
{
    count(g, METRIC_TAKE_OVER_REFUSED);
    LOG(LOG_WARN, "take-over refused", LOG_INT(LOG_PID, pid),
        LOG_TEXT(LOG_REASON, reason));
}

/* ---- the one who is served ---- */

static struct giver *giver_of_peer(struct stream *s)
{
    return (struct giver *)(void *)((char *)s - offsetof(struct giver, peer));
}

static void on_peer_closed(struct stream *s)
{
    struct giver *g = giver_of_peer(s);

    g->state = g->listener.fd < 0 ? GIVER_OFF : GIVER_WAITS;
}

static void close_peer(struct giver *g)
{
    timer_cancel(&worker_of(g)->timers, &g->answer);
    g->state = GIVER_CLOSING;
    stream_close(&g->peer);
}

/* It does not take over: what was offered is the only thing that is said. */
static void give_up(struct giver *g, const char *reason)
{
    if (g->state == GIVER_OFFERED) {
        count(g, METRIC_TAKE_OVER_FAILED);
        LOG(LOG_WARN, "take-over failed; serving on", LOG_INT(LOG_PID, g->pid),
            LOG_TEXT(LOG_REASON, reason));
    } else {
        log_refused(g, g->pid, reason);
    }
    close_peer(g);
}

static void turn_down(struct giver *g, enum take_over_refusal refusal)
{
    refuse(g->peer.fd, refusal);
    give_up(g, take_over_refusal_text(refusal));
}

static void on_late(struct timer *t, uint64_t now_ms)
{
    (void)now_ms;
    turn_down(
        (struct giver *)(void *)((char *)t - offsetof(struct giver, answer)),
        TAKE_OVER_TOO_LATE);
}

static void await(struct giver *g, enum giver_state state, uint64_t limit_ms)
{
    struct worker *w = worker_of(g);

    g->state = state;
    timer_set(&w->timers, &g->answer, worker_now_ms(w) + limit_ms);
}

/* What goes with an offer: descriptors that stay ours, and what each is. */
struct offer {
    uint8_t kinds[TAKE_OVER_SOCKETS_MAX];
    struct local_descriptors descriptors;
};

_Static_assert((int)TAKE_OVER_SOCKETS_MAX <= (int)LOCAL_SOCKET_DESCRIPTORS_MAX,
    "an offer is one message");

/* One that finds no room is missing: the other then refuses the whole. */
static void add(struct offer *offer, enum take_over_kind kind, int fd)
{
    size_t at = offer->descriptors.count;

    if (fd < 0 || at == TAKE_OVER_SOCKETS_MAX)
        return;
    offer->kinds[at] = (uint8_t)kind;
    offer->descriptors.fds[at] = fd;
    offer->descriptors.count++;
}

static void add_all(
    struct offer *offer, enum take_over_kind kind, const struct listener *l)
{
    for (; l != NULL; l = l->next)
        add(offer, kind, l->fd);
}

static int send_offer(const struct giver *g)
{
    const struct relay *relay = g->relay;
    struct offer offer = {.descriptors.count = 0};
    struct take_over_message message = {
        .type = TAKE_OVER_OFFER,
        .version = span_str(VERSION),
    };

    for (size_t i = 0; i < relay->shard_count; i++)
        add_all(&offer, TAKE_OVER_PUBLIC, relay->shards[i].listeners);
    add_all(&offer, TAKE_OVER_METRICS, relay->control.listeners);
    add(&offer, TAKE_OVER_CHALLENGES, relay->control.challenges.fd);
    add(&offer, TAKE_OVER_PATH, g->listener.fd);
    add(&offer, TAKE_OVER_LOCK, g->lock);
    message.kinds = span_of(offer.kinds, offer.descriptors.count);
    return say(g->peer.fd, &message, &offer.descriptors);
}

static void on_ask(struct giver *g, struct span version)
{
    int failed = 0;

    LOG(LOG_INFO, "take-over asked for", LOG_INT(LOG_PID, g->pid),
        LOG_FIELD(LOG_VERSION, version));
    await(g, GIVER_OFFERED, LIMIT_TAKE_OVER_READY_MS);
    failed = send_offer(g);
    if (failed == -EPIPE) {
        give_up(g, ended_early);
    } else if (failed != 0) {
        give_up(g, "the offer could not be sent");
    }
}

static void on_taker_ready(struct giver *g)
{
    const struct take_over_message yielded = {.type = TAKE_OVER_YIELDED};
    struct relay *relay = g->relay;

    if (say(g->peer.fd, &yielded, &no_descriptors) != 0) {
        give_up(g, ended_early);
        return;
    }
    count(g, METRIC_TAKE_OVER_YIELDED);
    LOG(LOG_INFO, "taken over; draining", LOG_INT(LOG_PID, g->pid),
        LOG_INT(LOG_VALUE,
            (int64_t)config_count(relay->config, CONFIG_DRAIN_SECONDS)));
    giver_stop(g);
    yield_all(relay);
}

static void on_message(struct giver *g, struct span bytes)
{
    struct take_over_message message;

    switch (take_over_message_parse(bytes, TAKE_OVER_TO_GIVER, &message)) {
    case TAKE_OVER_OK:
        break;
    case TAKE_OVER_BAD:
        turn_down(g, TAKE_OVER_OUT_OF_TURN);
        return;
    case TAKE_OVER_OTHER_FORMAT:
        give_up(g, "it speaks another version of the take-over");
        return;
    }
    if (message.type == TAKE_OVER_ASK && g->state == GIVER_ASKED) {
        on_ask(g, message.version);
    } else if (message.type == TAKE_OVER_READY && g->state == GIVER_OFFERED) {
        on_taker_ready(g);
    } else {
        turn_down(g, TAKE_OVER_OUT_OF_TURN);
    }
}

static void on_peer_ready(struct stream *s, unsigned events)
{
    struct giver *g = giver_of_peer(s);
    struct local_descriptors with = {.count = 0};
    uint8_t bytes[TAKE_OVER_MESSAGE_MAX];
    ssize_t len = 0;

    if (events & STREAM_FAILED) {
        give_up(g, "there was no memory to watch its socket");
        return;
    }
    len = local_socket_receive(s->fd, bytes, sizeof(bytes), &with);
    if (len == -EAGAIN)
        return;
    if (len == -EPIPE && g->state == GIVER_ASKED) {
        close_peer(g); /* it looked whether somebody is there */
    } else if (len == -EPIPE) {
        give_up(g, ended_early);
    } else if (len < 0 || with.count > 0) {
        local_descriptors_close(&with); /* nobody gives us any */
        turn_down(g, TAKE_OVER_OUT_OF_TURN);
    } else {
        on_message(g, span_of(bytes, (size_t)len));
    }
}

/* ---- who comes ---- */

/* NULL: it is the one to be served. */
static const char *judge(struct giver *g, int fd, pid_t *ret_pid)
{
    if (!local_socket_peer_is_ours(fd, ret_pid))
        return "it is another user's process";
    if (g->state != GIVER_WAITS) {
        refuse(fd, TAKE_OVER_BUSY);
        return take_over_refusal_text(TAKE_OVER_BUSY);
    }
    return stream_init(&g->peer, worker_of(g), fd) == 0 ? NULL
                                                        : "out of memory";
}

static void on_accept(
    struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct giver *g = l->owner;
    pid_t pid = 0;
    const char *refusal = judge(g, fd, &pid);

    (void)peer;
    if (refusal != NULL) {
        log_refused(g, pid, refusal);
        (void)close(fd);
        return;
    }
    g->pid = pid;
    await(g, GIVER_ASKED, LIMIT_TAKE_OVER_ANSWER_MS);
    stream_want(&g->peer, STREAM_READ);
}

static void on_rested(struct timer *t, uint64_t now_ms)
{
    struct giver *g =
        (struct giver *)(void *)((char *)t - offsetof(struct giver, rested));

    (void)now_ms;
    listener_resume(&g->listener);
}

static void on_exhausted(struct listener *l, int error)
{
    struct giver *g = l->owner;
    struct worker *w = worker_of(g);

    (void)error;
    count(g, METRIC_DESCRIPTORS_EXHAUSTED);
    if (l->reserve >= 0 && !l->rests)
        return;
    listener_rest(l);
    timer_set(&w->timers, &g->rested, worker_now_ms(w) + TIMER_TICK_MS);
}

int giver_start(struct giver *g, struct relay *relay, int socket, int lock)
{
    int failed = 0;

    assert(g->state == GIVER_OFF);
    *g = (struct giver){
        .relay = relay,
        .listener = {.accept = on_accept,
            .exhausted = on_exhausted,
            .owner = g,
            .turn = &relay->accept_turn,
            .fd = -1},
        .peer = {.ready = on_peer_ready, .closed = on_peer_closed, .fd = -1},
        .answer.fn = on_late,
        .rested.fn = on_rested,
        .lock = lock,
    };
    failed = listener_start(&g->listener, worker_of(g),
        (struct listener_socket){.fd = socket, .lent = true});
    if (failed == 0)
        g->state = GIVER_WAITS;
    return failed;
}

void giver_stop(struct giver *g)
{
    if (g->state == GIVER_OFF)
        return;
    timer_cancel(&worker_of(g)->timers, &g->rested);
    listener_stop(&g->listener);
    if (g->state == GIVER_WAITS) {
        g->state = GIVER_OFF;
    } else if (g->state != GIVER_CLOSING) {
        close_peer(g);
    }
}
