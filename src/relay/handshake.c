#include "relay/handshake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "relay/frames.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "wire/proxy_header.h"

/* ---- PROXY header ---- */

/* Bytes that the header needs beyond those at hand; exactly, since what
 * follows it is TLS. */
static size_t proxy_missing(const uint8_t *bytes, size_t have)
{
    size_t want = PROXY_FIXED_LEN;

    if (have >= PROXY_FIXED_LEN) {
        want += (size_t)bytes[PROXY_FIXED_LEN - 2] << 8 |
                bytes[PROXY_FIXED_LEN - 1];
    }
    return want - have;
}

static void refuse_proxy(struct conn *c, enum metric why)
{
    metrics_count(&c->shard->metrics, why);
    conn_drop(c);
}

/* The client is who the proxy says it is, from now on. */
static void believe(struct conn *c, const struct proxy_header *header)
{
    const uint8_t mapped[IP_ADDRESS_V4_AT] = {[10] = 0xff, [11] = 0xff};
    size_t at = IP_ADDRESS_LEN - header->addr_len;

    memcpy(c->peer.bytes, mapped, sizeof(mapped));
    memcpy(c->peer.bytes + at, header->source.addr, header->addr_len);
    (void)ip_address_text(&c->peer, c->remote);
    free(c->partial);
    c->partial = NULL;
    c->partial_have = 0;
    if (!shard_charge_address(c)) {
        conn_drop(c);
        return;
    }
    conn_enter_tls(c);
}

static bool keep(struct conn *c, const uint8_t *bytes, size_t len)
{
    uint8_t *grown = realloc(c->partial, c->partial_have + len);

    if (grown == NULL) {
        refuse_proxy(c, METRIC_MEMORY_REFUSALS);
        return false;
    }
    memcpy(grown + c->partial_have, bytes, len);
    c->partial = grown;
    c->partial_have += len;
    return true;
}

static void judge_proxy(struct conn *c)
{
    struct proxy_header header;

    switch (proxy_header_parse(span_of(c->partial, c->partial_have), &header)) {
    case PROXY_OK:
        believe(c, &header);
        return;
    case PROXY_MORE:
        return;
    case PROXY_ABSENT:
        refuse_proxy(c, METRIC_PROXY_ABSENT);
        return;
    case PROXY_LOCAL:
        refuse_proxy(c, METRIC_PROXY_LOCAL);
        return;
    case PROXY_TEXT:
        refuse_proxy(c, METRIC_PROXY_VERSION_1);
        return;
    case PROXY_BAD_VERSION:
    case PROXY_BAD_COMMAND:
    case PROXY_BAD_FAMILY:
    case PROXY_SHORT:
    case PROXY_LONG:
        refuse_proxy(c, METRIC_PROXY_MALFORMED);
        return;
    }
}

void handshake_read_proxy(struct conn *c)
{
    uint8_t *scratch = c->shard->worker.scratch;
    struct iovec to = {
        .iov_base = scratch,
        .iov_len = proxy_missing(c->partial, c->partial_have),
    };
    ssize_t got = 0;

    assert(c->state == CONN_PROXY && c->stream.tls == NULL);
    got = stream_read(&c->stream, &to, 1);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        refuse_proxy(c, METRIC_PROXY_ABSENT);
        return;
    }
    conn_received(c, (size_t)got);
    if (keep(c, scratch, (size_t)got))
        judge_proxy(c);
}

/* ---- TLS ---- */

static void count_failure(struct conn *c, enum tls_failure failure)
{
    static const enum metric counted[] = {
        [TLS_FAILURE_NONE] = METRIC_TLS_PROTOCOL,
        [TLS_FAILURE_CLOSED] = METRIC_TLS_CLOSED,
        [TLS_FAILURE_PLAIN_HTTP] = METRIC_TLS_PLAIN_HTTP,
        [TLS_FAILURE_NOT_TLS] = METRIC_TLS_NOT_TLS,
        [TLS_FAILURE_NAME] = METRIC_TLS_NAME,
        [TLS_FAILURE_NOT_READY] = METRIC_TLS_NOT_READY,
        [TLS_FAILURE_VERSION] = METRIC_TLS_VERSION,
        [TLS_FAILURE_PARAMETERS] = METRIC_TLS_PARAMETERS,
        [TLS_FAILURE_ALPN] = METRIC_TLS_ALPN,
        [TLS_FAILURE_ALERT] = METRIC_TLS_ALERT,
        [TLS_FAILURE_PROTOCOL] = METRIC_TLS_PROTOCOL,
    };

    _Static_assert(ARRAY_LEN(counted) == TLS_FAILURE_COUNT,
        "every enum tls_failure needs a metric");
    metrics_count(&c->shard->metrics, counted[failure]);
}

/* Health checks that connect and leave are no event. */
static void log_failure(const struct conn *c, enum tls_failure failure)
{
    if (failure == TLS_FAILURE_CLOSED)
        return;
    LOG(failure == TLS_FAILURE_NOT_READY ? LOG_WARN : LOG_INFO,
        "tls_handshake_failed", LOG_TEXT(LOG_REMOTE, c->remote),
        LOG_TEXT(LOG_REASON, tls_failure_text(failure)),
        LOG_TEXT(LOG_ERR, tls_session_failure_text(c->stream.tls)));
}

static void answer_plain_http(struct conn *c)
{
    static const char answer[] =
        "HTTP/1.0 400 Bad Request\r\n\r\n"
        "Client sent an HTTP request to an HTTPS server.\n";

    metrics_count_response(&c->shard->metrics, 400);
    (void)conn_append(c, span_str(answer), OUTBOX_HTTP);
}

static void fail(struct conn *c)
{
    enum tls_failure failure = tls_session_failure(c->stream.tls);
    bool behind_proxy =
        c->shard->relay->config->on[CONFIG_HTTPS_PROXY_PROTOCOL];

    count_failure(c, failure);
    log_failure(c, failure);
    if (failure == TLS_FAILURE_CLOSED ||
        (failure == TLS_FAILURE_PLAIN_HTTP && behind_proxy)) {
        conn_drop(c);
        return;
    }
    /* The alert is on its way; the end follows it without TLS. */
    stream_stop_tls(&c->stream);
    if (failure == TLS_FAILURE_PLAIN_HTTP)
        answer_plain_http(c);
    conn_finish(c);
}

static void count_success(struct conn *c)
{
    static const enum metric counted[2][2] = {
        {METRIC_TLS_12_FULL, METRIC_TLS_12_RESUMED},
        {METRIC_TLS_13_FULL, METRIC_TLS_13_RESUMED},
    };
    const struct tls_session *tls = c->stream.tls;

    metrics_count(&c->shard->metrics,
        counted[tls_session_is_tls13(tls)][tls_session_is_resumed(tls)]);
}

static void succeed(struct conn *c)
{
    count_success(c);
    if (tls_session_is_challenge(c->stream.tls)) {
        conn_finish(c);
        return;
    }
    conn_enter_head(c);
    /* The head may have come along with the handshake's last message. */
    if (c->state == CONN_HEAD && tls_session_has_more(c->stream.tls))
        frames_read_head(c);
}

/* False: no memory, and it is dropped. */
static bool start(struct conn *c)
{
    struct shard *shard = c->shard;

    tls_server_set_time(shard->tls, worker_now_ms(&shard->worker));
    if (stream_start_tls(&c->stream, shard->tls))
        return true;
    metrics_count(&shard->metrics, METRIC_MEMORY_REFUSALS);
    conn_drop(c);
    return false;
}

static void set_deadline(struct conn *c, uint64_t limit_ms)
{
    struct worker *w = &c->shard->worker;

    c->state_by = worker_now_ms(w) + limit_ms;
    timer_set(&w->timers, &c->timer, c->state_by);
}

/* Nothing is read meanwhile, so that a peer cannot make us keep more than its
 * ClientHello. */
static void await(struct conn *c)
{
    c->awaits = true;
    c->held = true;
    conn_update_interest(c);
    set_deadline(c, LIMIT_CERTIFICATE_MS);
}

static void stop_awaiting(struct conn *c)
{
    assert(c->awaits);
    c->awaits = false;
    c->held = false;
    conn_update_interest(c);
    set_deadline(c, LIMIT_HEAD_MS);
}

static void go_on(struct conn *c)
{
    switch (tls_session_handshake(c->stream.tls)) {
    case 0:
        succeed(c);
        break;
    case -EAGAIN:
        break;
    case -EINPROGRESS:
        await(c);
        break;
    default:
        fail(c);
    }
}

void handshake_read_tls(struct conn *c)
{
    assert(c->state == CONN_TLS && !c->awaits);
    if (c->stream.tls != NULL || start(c))
        go_on(c);
}

static struct conn *find_awaiting(const struct shard *shard)
{
    struct conn *c = shard->handshakes.first;

    while (c != NULL && !c->awaits)
        c = c->next;
    return c;
}

bool handshake_resume(struct shard *shard)
{
    struct conn *c = find_awaiting(shard);

    for (unsigned n = 0; n < LIMIT_RESUMED && c != NULL; n++) {
        stop_awaiting(c);
        go_on(c);
        if (c->moves_to == NULL)
            conn_mark_dirty(c);
        c = find_awaiting(shard);
    }
    conn_flush_dirty(shard);
    return c != NULL;
}

void handshake_give_up(struct conn *c)
{
    stop_awaiting(c);
    tls_session_stop_waiting(c->stream.tls);
    go_on(c);
}

void handshake_abandoned(struct conn *c)
{
    count_failure(c, TLS_FAILURE_CLOSED);
    conn_drop(c);
}
