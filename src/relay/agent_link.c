#include "relay/agent_link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "relay/certificates.h"
#include "relay/log.h"
#include "relay/relay.h"

static struct agent_link *link_of(struct stream *s)
{
    return (struct agent_link *)(void *)((char *)s -
                                         offsetof(struct agent_link, stream));
}

/* ---- the end of it ---- */

static void on_closed(struct stream *s)
{
    (void)s; /* the link is part of the relay */
}

void agent_link_close(struct relay *relay)
{
    struct agent_link *link = &relay->agent;

    if (!link->is_open)
        return;
    link->is_open = false;
    atomic_store(&relay->awaiting, false);
    stream_close(&link->stream);
    explicit_bzero(link->answer, sizeof(link->answer));
    link->answer_len = 0;
}

static void fail(struct agent_link *link, const char *why)
{
    LOG(LOG_ERROR, "certificate_agent_lost",
        LOG_TEXT(LOG_DOMAIN, link->relay->domain), LOG_TEXT(LOG_ERR, why),
        LOG_TEXT(LOG_FIX,
            "restart the relay; until then it serves the certificate that it "
            "has, and nothing renews that"));
    link->next_try_s = 0;
    relay_withdraw_all(link->relay);
    agent_link_close(link->relay);
}

/* ---- what is answered ---- */

static void want(struct agent_link *link, bool answer_waits)
{
    stream_want(
        &link->stream, STREAM_READ | (answer_waits ? STREAM_WRITE : 0U));
}

/* Everything that was asked for is served by every shard. */
static void send_answer(struct agent_link *link)
{
    uint8_t bytes[AGENT_HEAD_LEN + 4 + AGENT_NAME_MAX];
    const struct agent_message message = {.type = AGENT_PRESENTED,
        .parts = {span_of(link->answer, link->answer_len)}};
    size_t len = agent_message_encode(&message, bytes, sizeof(bytes));
    ssize_t put = 0;

    if (!link->is_open || link->answer_len == 0 || link->presenting > 0)
        return;
    assert(len > 0);
    put = stream_write(&link->stream, bytes, len);
    want(link, put == -EAGAIN);
    if (put != -EAGAIN)
        link->answer_len = 0; /* that it has ended shows when it is read */
}

static void on_shown(void *ctx)
{
    struct agent_link *link = ctx;

    assert(link->presenting > 0);
    link->presenting--;
    send_answer(link);
}

static void remember(struct agent_link *link, struct span name)
{
    assert(name.len <= sizeof(link->answer));
    memcpy(link->answer, name.ptr, name.len);
    link->answer_len = name.len;
}

/* ---- what is asked for ---- */

static bool is_domain(const struct agent_link *link, struct span name)
{
    return span_eq(name, span_str(link->relay->domain));
}

static bool present_http(struct agent_link *link, const struct agent_message *m)
{
    char token[AGENT_TOKEN_MAX + 1];
    char authorization[AGENT_KEY_AUTH_MAX + 1];

    if (!text_format(token, sizeof(token), "%.*s", (int)m->parts[0].len,
            (const char *)m->parts[0].ptr) ||
        !text_format(authorization, sizeof(authorization), "%.*s",
            (int)m->parts[1].len, (const char *)m->parts[1].ptr) ||
        !relay_present_http(link->relay, token, authorization))
        return false;
    remember(link, m->parts[0]);
    send_answer(link);
    return true;
}

static bool present_tls(struct agent_link *link, const struct agent_message *m)
{
    const struct tls_pem pem = {.key = m->parts[1], .chain = m->parts[2]};

    if (!is_domain(link, m->parts[0]))
        return false;
    /* Before the call: where no worker runs yet it is shown within. */
    remember(link, m->parts[0]);
    link->presenting++;
    if (relay_present_tls(link->relay, &pem, on_shown, link))
        return true;
    /* It was logged.  The agent waits in vain, and says so. */
    link->presenting--;
    link->answer_len = 0;
    return true;
}

static bool withdraw(struct agent_link *link, const struct agent_message *m)
{
    char token[AGENT_NAME_MAX + 1];

    link->answer_len = 0;
    if (is_domain(link, m->parts[0])) {
        relay_withdraw_tls(link->relay);
    } else if (text_format(token, sizeof(token), "%.*s", (int)m->parts[0].len,
                   (const char *)m->parts[0].ptr)) {
        relay_withdraw_http(link->relay, token);
    }
    return true;
}

static bool take_certificate(
    struct agent_link *link, const struct agent_message *m)
{
    struct relay *relay = link->relay;
    const struct tls_pem pem = {.key = m->parts[1], .chain = m->parts[2]};
    bool is_rsa = m->kind == AGENT_CACHED_RSA;

    if (!is_domain(link, m->parts[0]))
        return false;
    IGNORE(is_rsa ? !relay_install_rsa(relay, &pem)
                  : !relay_install_certificate(relay, &pem),
        "it was logged, and what was shown before stays");
    if (m->kind == AGENT_ISSUED)
        link->issued_s = time(NULL);
    return true;
}

/* ---- what is said ---- */

/* As certificate_installed has it; "unknown" for 0 and for nonsense. */
static const char *time_text(uint64_t when_s, char ret[32])
{
    time_t when = (time_t)when_s;
    struct tm tm;

    if (when_s == 0 || when_s > INT32_MAX * UINT64_C(16) ||
        gmtime_r(&when, &tm) == NULL ||
        strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "unknown";
    return ret;
}

static void count_failure(struct relay *relay, enum agent_failure kind)
{
    static const enum metric counted[] = {
        [AGENT_NO_FAILURE] = METRIC_ORDER_INTERNAL,
        [AGENT_NETWORK] = METRIC_ORDER_NETWORK,
        [AGENT_UNTRUSTED] = METRIC_ORDER_UNTRUSTED,
        [AGENT_PROTOCOL] = METRIC_ORDER_PROTOCOL,
        [AGENT_RATE_LIMITED] = METRIC_ORDER_RATE_LIMITED,
        [AGENT_CHALLENGE] = METRIC_ORDER_CHALLENGE,
        [AGENT_REFUSED] = METRIC_ORDER_REFUSED,
        [AGENT_BAD_CERTIFICATE] = METRIC_ORDER_BAD_CERTIFICATE,
        [AGENT_STORE] = METRIC_ORDER_STORE,
        [AGENT_INTERNAL] = METRIC_ORDER_INTERNAL,
        [AGENT_DIED] = METRIC_ORDER_DIED,
        [AGENT_CANCELLED] = METRIC_ORDER_INTERNAL,
    };

    _Static_assert(ARRAY_LEN(counted) == AGENT_FAILURE_COUNT,
        "every enum agent_failure needs a metric");
    metrics_count(&relay->control.metrics, counted[kind]);
}

/* No number of a message is taken for a time that it cannot be. */
static int64_t seconds_of(uint64_t when_s)
{
    return when_s > INT64_MAX ? 0 : (int64_t)when_s;
}

static bool report_failure(
    struct agent_link *link, const struct agent_message *m)
{
    char when[32];
    enum agent_failure kind = (enum agent_failure)m->kind;

    count_failure(link->relay, kind);
    link->next_try_s = seconds_of(m->when_s);
    LOG(LOG_ERROR, "certificate_failed",
        LOG_TEXT(LOG_DOMAIN, link->relay->domain),
        LOG_TEXT(LOG_KIND, agent_failure_name(kind)),
        LOG_FIELD(LOG_ERR, m->parts[0]),
        LOG_TEXT(LOG_NEXT_TRY, time_text(m->when_s, when)));
    return true;
}

/* What is there to wait for, said once until there is a certificate. */
static void tell_waiting(struct agent_link *link)
{
    struct relay *relay = link->relay;

    if (link->is_told || relay->certificate_expires_s != 0)
        return;
    link->is_told = true;
    LOG(LOG_WARN, "no certificate yet: TLS handshakes wait for one",
        LOG_TEXT(LOG_DOMAIN, relay->domain));
}

static bool take_status(struct agent_link *link, const struct agent_message *m)
{
    switch ((enum agent_state)m->kind) {
    case AGENT_STARTING:
        link->answer_len = 0;
        relay_withdraw_all(link->relay);
        break;
    case AGENT_ORDERING:
        tell_waiting(link);
        LOG(LOG_INFO, "certificate_ordering",
            LOG_TEXT(LOG_DOMAIN, link->relay->domain));
        break;
    case AGENT_IDLE:
        tell_waiting(link);
        link->next_try_s = seconds_of(m->when_s);
        break;
    case AGENT_STATE_COUNT:
        return false;
    }
    return true;
}

/* False: it makes no sense. */
static bool act(struct agent_link *link, const struct agent_message *m)
{
    switch (m->type) {
    case AGENT_PRESENT_HTTP:
        return present_http(link, m);
    case AGENT_PRESENT_TLS:
        return present_tls(link, m);
    case AGENT_WITHDRAW:
        return withdraw(link, m);
    case AGENT_CERTIFICATE:
        return take_certificate(link, m);
    case AGENT_FAILURE:
        return report_failure(link, m);
    case AGENT_STATUS:
        return take_status(link, m);
    case AGENT_PRESENTED:
    case AGENT_RENEW:
    case AGENT_STOP:
    case AGENT_TYPE_COUNT:
        break;
    }
    return false;
}

/* ---- the channel ---- */

static void read_message(struct agent_link *link)
{
    uint8_t *scratch = link->relay->control.worker.scratch;
    struct iovec to = {.iov_base = scratch, .iov_len = AGENT_MESSAGE_MAX};
    ssize_t got = stream_read(&link->stream, &to, 1);
    struct agent_message message;

    _Static_assert(
        (int)AGENT_MESSAGE_MAX <= (int)WORKER_SCRATCH_LEN, "it fits");
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        fail(link, "the processes that order certificates have ended");
        return;
    }
    if (agent_message_parse(span_of(scratch, (size_t)got), AGENT_TO_RELAY,
            &message) != AGENT_MESSAGE_OK ||
        message.len != (size_t)got || !act(link, &message))
        fail(link, "the certificate agent sent what is no message");
    explicit_bzero(scratch, (size_t)got);
}

static void on_ready(struct stream *s, unsigned events)
{
    struct agent_link *link = link_of(s);

    if (events & STREAM_FAILED) {
        fail(link, "there was no memory to watch their channel");
        return;
    }
    if (events & STREAM_WRITE)
        send_answer(link);
    if (link->is_open && (events & (STREAM_READ | STREAM_HANGUP)))
        read_message(link);
}

int agent_link_open(struct relay *relay, int fd)
{
    struct agent_link *link = &relay->agent;
    int failed = 0;

    assert(!link->is_open && relay->domain != NULL);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    link->relay = relay;
    link->stream.ready = on_ready;
    link->stream.closed = on_closed;
    failed = stream_init(&link->stream, &relay->control.worker, fd);
    if (failed != 0)
        return failed;
    link->is_open = true;
    atomic_store(&relay->awaiting, true);
    want(link, false);
    return 0;
}
