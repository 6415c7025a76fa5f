#include "relay/taker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/local_socket.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "wire/take_over_message.h"

static const struct local_descriptors no_descriptors = {.count = 0};

struct taker taker_over(const char *path)
{
    return (struct taker){.path = path, .giver = -1, .socket = -1, .lock = -1};
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void taker_done(struct taker *t)
{
    close_if_open(&t->giver);
    close_if_open(&t->socket);
    close_if_open(&t->lock);
}

/* ---- what goes wrong ---- */

static bool failed_by(const struct taker *t, const char *err, const char *fix)
{
    LOG(LOG_ERROR, "take-over failed", LOG_TEXT(LOG_PATH, t->path),
        LOG_TEXT(LOG_ERR, err), LOG_TEXT(LOG_FIX, fix));
    return false;
}

/* The path is not as it must be. */
static bool path_failed(const struct taker *t, int failed)
{
    const char *err = strerrordesc_np(-failed);

    switch (-failed) {
    case EPERM:
        err = "the directory, or what stands there, is not this user's alone";
        break;
    case ENOTSOCK:
        err = "what stands there is no socket";
        break;
    case EADDRINUSE:
        err = "another process has begun to listen there";
        break;
    default:
        break;
    }
    return failed_by(t, err == NULL ? "unknown error" : err,
        "give a path in a directory that is this user's, mode 0700, and no "
        "link, such as /run/pyrycode-relay/take-over");
}

static bool giver_failed(const struct taker *t, const char *err)
{
    return failed_by(t, err,
        "the relay that runs goes on serving; see its log, mend what it says, "
        "and start this one again");
}

/* ---- talking to it ---- */

bool taker_ask(struct taker *t)
{
    uint8_t bytes[TAKE_OVER_MESSAGE_MAX];
    const struct take_over_message ask = {
        .type = TAKE_OVER_ASK,
        .version = span_str(VERSION),
    };
    size_t len = take_over_message_encode(&ask, bytes);
    int failed = local_socket_connect(t->path, &t->giver);
    pid_t pid = 0;

    if (failed == -ENOENT || failed == -ECONNREFUSED)
        return true;
    if (failed != 0)
        return path_failed(t, failed);
    if (!local_socket_peer_is_ours(t->giver, &pid))
        return giver_failed(t, "who listens there is another user");
    IGNORE(
        local_socket_send(t->giver, span_of(bytes, len), &no_descriptors) != 0,
        "it may have refused already: its answer says so");
    return true;
}

bool taker_is_second(const struct taker *t)
{
    return t->giver >= 0;
}

static bool is_answered(const struct taker *t)
{
    struct pollfd pfd = {.fd = t->giver, .events = POLLIN};
    int ready = 0;

    do {
        ready = poll(&pfd, 1, LIMIT_TAKE_OVER_ANSWER_MS);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* An answer, its bytes, and what came with it. */
struct answer {
    struct take_over_message message;
    uint8_t bytes[TAKE_OVER_MESSAGE_MAX];
    struct local_descriptors descriptors;
};

/* False, and nothing is held: no message of that type has come. */
static bool receive(
    const struct taker *t, enum take_over_type wanted, struct answer *ret)
{
    enum take_over_status status = TAKE_OVER_BAD;
    ssize_t len = -ETIMEDOUT;

    if (is_answered(t)) {
        len = local_socket_receive(
            t->giver, ret->bytes, sizeof(ret->bytes), &ret->descriptors);
    }
    if (len == -EPIPE)
        return giver_failed(t, "the other broke off");
    if (len < 0)
        return giver_failed(t, "the other does not answer");
    status = take_over_message_parse(
        span_of(ret->bytes, (size_t)len), TAKE_OVER_TO_TAKER, &ret->message);
    if (status == TAKE_OVER_OK && ret->message.type == wanted)
        return true;
    local_descriptors_close(&ret->descriptors);
    if (status == TAKE_OVER_OK && ret->message.type == TAKE_OVER_REFUSED) {
        return giver_failed(t, take_over_refusal_text(ret->message.refusal));
    }
    return giver_failed(t, status == TAKE_OVER_OTHER_FORMAT
                               ? "the other speaks another version of this"
                               : "the other's answer makes no sense");
}

/* The option that a socket of that kind stands in for; NULL: none in use. */
static const char *name_of(
    const struct config *config, enum take_over_kind kind)
{
    static const enum conn_surface surfaces[] = {
        [TAKE_OVER_PUBLIC] = CONN_PUBLIC,
        [TAKE_OVER_METRICS] = CONN_METRICS,
        [TAKE_OVER_CHALLENGES] = CONN_CHALLENGES,
    };
    struct relay_plan plan[RELAY_LISTENERS];
    size_t count = relay_plan(config, plan);

    for (size_t i = 0; i < count; i++) {
        if (plan[i].surface == surfaces[kind])
            return relay_plan_name(&plan[i]);
    }
    return NULL;
}

static void keep_listener(const struct config *config, enum take_over_kind kind,
    int fd, struct inherited *ret)
{
    /* Where the other has it from, somebody may hold it, too. */
    const struct listener_socket socket = {.fd = fd, .lent = true};
    const char *name = name_of(config, kind);

    if (name == NULL || inherited_add(ret, socket, name) != 0)
        (void)close(fd);
}

static void keep(struct taker *t, const struct config *config,
    const struct answer *answer, struct inherited *ret)
{
    for (size_t i = 0; i < answer->message.kinds.len; i++) {
        enum take_over_kind kind =
            (enum take_over_kind)answer->message.kinds.ptr[i];
        int fd = answer->descriptors.fds[i];

        if (kind == TAKE_OVER_PATH) {
            t->socket = fd;
        } else if (kind == TAKE_OVER_LOCK) {
            t->lock = fd;
        } else {
            keep_listener(config, kind, fd, ret);
        }
    }
}

bool taker_receive(
    struct taker *t, const struct config *config, struct inherited *ret)
{
    struct answer answer;

    if (t->giver < 0)
        return true;
    if (!receive(t, TAKE_OVER_OFFER, &answer))
        return false;
    if (answer.descriptors.count != answer.message.kinds.len) {
        local_descriptors_close(&answer.descriptors);
        return giver_failed(t, "the other's sockets did not all arrive");
    }
    keep(t, config, &answer, ret);
    LOG(LOG_INFO, "taking over", LOG_TEXT(LOG_PATH, t->path),
        LOG_FIELD(LOG_VERSION, answer.message.version),
        LOG_INT(LOG_VALUE, (int64_t)answer.descriptors.count));
    return true;
}

void taker_drop_lock(struct taker *t)
{
    close_if_open(&t->lock);
}

bool taker_listen(struct taker *t)
{
    int failed = 0;

    if (t->socket < 0)
        failed = local_socket_listen(t->path, &t->socket);
    return failed == 0 ? true : path_failed(t, failed);
}

bool taker_ready(struct taker *t)
{
    uint8_t bytes[TAKE_OVER_MESSAGE_MAX];
    const struct take_over_message ready = {.type = TAKE_OVER_READY};
    size_t len = take_over_message_encode(&ready, bytes);
    struct answer answer;

    if (t->giver < 0)
        return true;
    if (local_socket_send(t->giver, span_of(bytes, len), &no_descriptors) != 0)
        return giver_failed(t, "the other broke off");
    if (!receive(t, TAKE_OVER_YIELDED, &answer))
        return false;
    local_descriptors_close(&answer.descriptors);
    close_if_open(&t->giver);
    LOG(LOG_INFO, "took over", LOG_TEXT(LOG_PATH, t->path));
    return true;
}
