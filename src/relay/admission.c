#include "relay/admission.h"

#include <assert.h>
#include <stdlib.h>

#include "base/sha1.h"
#include "base/text.h"
#include "relay/claim.h"
#include "relay/gate.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/session.h"
#include "relay/status.h"
#include "wire/envelope.h"
#include "wire/forwarded_for.h"
#include "wire/ws_upgrade.h"

/* ---- on the shard that accepted ---- */

/* Whose account it is: the peer's, or that of the client that a trusted proxy
 * names. */
struct client {
    struct address_key key;
    struct span text; /* for the log */
    char buf[IP_ADDRESS_TEXT_MAX];
};

static void find_client(
    const struct conn *c, const struct http_head *head, struct client *ret)
{
    const struct relay *relay = c->shard->relay;
    const struct config *config = relay->config;
    struct ip_address ip;
    struct span literal = forwarded_for_first(head);

    if (config->proxy_count == 0 && config->on[CONFIG_TRUST_X_FORWARDED_FOR] &&
        literal.len > 0) {
        ret->key = address_table_key_of_text(relay->addresses, literal);
        ret->text = span_of(literal.ptr, literal.len > LIMIT_LOG_VALUE_BYTES
                                             ? LIMIT_LOG_VALUE_BYTES
                                             : literal.len);
        return;
    }
    ip = forwarded_for_client(
        head, &c->peer, config->proxies, config->proxy_count);
    ret->key = address_key_of_ip(&ip);
    ret->text = span_of(ret->buf, ip_address_text(&ip, ret->buf));
}

/* Which metric of the endpoint a refusal is. */
static enum metric by_role(
    const struct conn *c, enum metric server, enum metric client)
{
    return c->role == CONN_BINARY ? server : client;
}

/* The contract has the address in quotes of its own. */
static void log_rate_limited(const struct client *client)
{
    char quoted[LIMIT_LOG_VALUE_BYTES + 3];
    struct text t = text_over(quoted, sizeof(quoted));

    text_add_char(&t, '"');
    text_add(&t, client->text);
    text_add_char(&t, '"');
    LOG(LOG_WARN, "rate_limited", LOG_FIELD(LOG_REMOTE, span_of(t.ptr, t.len)));
}

static bool is_rate_limited(struct conn *c, const struct client *client)
{
    struct metrics *m = &c->shard->metrics;
    enum address_verdict verdict =
        address_table_take_token(c->shard->relay->addresses, &client->key,
            worker_now_ms(&c->shard->worker));

    if (verdict == ADDRESS_ADMITTED)
        return false;
    if (verdict == ADDRESS_TABLE_FULL)
        metrics_count(m, METRIC_BUDGET_ADDRESS_TABLE);
    metrics_count(m, METRIC_RATE_UPGRADES);
    metrics_count(m, METRIC_RATELIMIT);
    metrics_count(
        m, by_role(c, METRIC_SERVER_RATE_LIMIT, METRIC_CLIENT_RATE_LIMIT));
    log_rate_limited(client);
    reply_error(c, 429, NULL);
    return true;
}

static bool is_at_cap(
    struct conn *c, const struct http_head *head, const struct client *client)
{
    struct metrics *m = &c->shard->metrics;
    enum metric full = METRIC_BUDGET_CONNECTIONS;

    if (shard_count_live(c, &client->key, &full))
        return false;
    metrics_count(m, full);
    metrics_count(m, METRIC_UNAVAILABLE_BUDGET);
    LOG(LOG_WARN, "conn_cap_reached", LOG_FIELD(LOG_PATH, head->path),
        LOG_TEXT(LOG_REMOTE, c->remote));
    reply_error(c, 503, NULL);
    return true;
}

/* Is it a WebSocket handshake?  If not, it is answered. */
static bool may_upgrade(struct conn *c, const struct http_head *head)
{
    static const struct {
        const char *extra;
        unsigned code;
        enum metric metric;
    } answers[] = {
        [WS_UPGRADE_NONE] = {"Upgrade: websocket\r\n", 426,
            METRIC_UPGRADE_NONE},
        [WS_UPGRADE_METHOD] = {"Allow: GET\r\n", 405, METRIC_UPGRADE_METHOD},
        [WS_UPGRADE_VERSION] = {"Sec-WebSocket-Version: 13\r\n", 400,
            METRIC_UPGRADE_VERSION},
        [WS_UPGRADE_KEY] = {NULL, 400, METRIC_UPGRADE_KEY},
    };
    enum ws_upgrade_status status = ws_upgrade_check(head);

    if (status == WS_UPGRADE_OK)
        return true;
    metrics_count(&c->shard->metrics, answers[status].metric);
    reply_error(c, answers[status].code, answers[status].extra);
    return false;
}

static enum gate_verdict judge_gate(const struct conn *c,
    const struct http_head *head, struct gate_admission *ret)
{
    const struct config *config = c->shard->relay->config;
    const struct gate_limits limits = {
        .server_id_max = config_count(config, CONFIG_MAX_SERVER_ID_BYTES),
        .device_name_max = config_count(config, CONFIG_MAX_DEVICE_NAME_BYTES),
    };

    return gate_judge(
        head, c->role == CONN_BINARY ? GATE_SERVER : GATE_CLIENT, &limits, ret);
}

static bool has_headers(
    struct conn *c, const struct http_head *head, struct gate_admission *ret)
{
    struct metrics *m = &c->shard->metrics;
    enum gate_verdict verdict = judge_gate(c, head, ret);

    if (verdict == GATE_ADMITTED)
        return true;
    metrics_count(m, by_role(c, METRIC_SERVER_HEADERS, METRIC_CLIENT_HEADERS));
    metrics_count(m, verdict == GATE_HEADER_MISSING
                         ? METRIC_UPGRADE_MISSING_HEADER
                         : METRIC_UPGRADE_SERVER_ID);
    reply_error(c, 400, NULL);
    return false;
}

static struct shard *judge_upgrade(
    struct conn *c, const struct http_head *head, enum gate_route route)
{
    struct gate_admission who;
    struct client client;

    c->role = route == GATE_SERVER ? CONN_BINARY : CONN_PHONE;
    find_client(c, head, &client);
    if (is_rate_limited(c, &client) || is_at_cap(c, head, &client) ||
        !has_headers(c, head, &who) || !may_upgrade(c, head))
        return NULL;
    return shard_of(c->shard->relay, who.server_id);
}

static void answer_status(
    struct conn *c, const struct http_head *head, enum gate_route route)
{
    bool is_get = span_eq(head->method, span_str("GET"));
    bool is_head = span_eq(head->method, span_str("HEAD"));

    if (!is_get && !is_head) {
        reply_error(c, 405, "Allow: GET, HEAD\r\n");
        return;
    }
    switch (route) {
    case GATE_HEALTHZ:
        status_healthz(c, is_head);
        break;
    case GATE_READYZ:
        status_readyz(c, is_head);
        break;
    case GATE_METRICS:
        status_metrics(c);
        break;
    case GATE_PAGE:
        status_page(c, head);
        break;
    case GATE_STATUS:
        status_json(c, head);
        break;
    case GATE_SERVER:
    case GATE_CLIENT:
    case GATE_UNKNOWN:
        break;
    }
}

/* What each listener has: health on both, peers on the public one, metrics on
 * the other. */
static bool is_served(const struct conn *c, enum gate_route route)
{
    switch (route) {
    case GATE_HEALTHZ:
    case GATE_READYZ:
        return true;
    case GATE_METRICS:
    case GATE_PAGE:
    case GATE_STATUS:
        return c->surface == CONN_METRICS;
    case GATE_SERVER:
    case GATE_CLIENT:
        return c->surface == CONN_PUBLIC;
    case GATE_UNKNOWN:
        break;
    }
    return false;
}

static void answer_challenge(struct conn *c, const struct http_head *head)
{
    const struct relay *relay = c->shard->relay;
    struct span authorization = span_of("", 0);
    unsigned code = challenges_answer(
        &relay->challenges, relay->domain, head, &authorization);

    if (code != 200) {
        reply_error(c, code, NULL);
        return;
    }
    reply_send(c, &(struct reply){
                      .code = 200,
                      .body = authorization,
                      .head_only = span_eq(head->method, span_str("HEAD")),
                  });
}

/* Who reaches us by an address, or by another name, learns nothing. */
static bool is_misdirected(const struct conn *c, const struct http_head *head)
{
    const char *domain = c->shard->relay->domain;

    return c->surface == CONN_PUBLIC && domain != NULL &&
           !gate_is_host(head, domain);
}

struct shard *admission_judge(struct conn *c, const struct http_head *head)
{
    enum gate_route route = gate_route(head);

    if (c->surface == CONN_CHALLENGES) {
        answer_challenge(c, head);
        return NULL;
    }
    if (is_misdirected(c, head)) {
        reply_error(c, 421, NULL);
        return NULL;
    }
    if (!is_served(c, route)) {
        reply_error(c, 404, NULL);
        return NULL;
    }
    if (route == GATE_SERVER || route == GATE_CLIENT)
        return judge_upgrade(c, head, route);
    answer_status(c, head, route);
    return NULL;
}

void admission_bad_head(struct conn *c, enum http_status status)
{
    metrics_count(&c->shard->metrics, status == HTTP_TOO_LARGE
                                          ? METRIC_UPGRADE_HEAD_TOO_LARGE
                                          : METRIC_UPGRADE_MALFORMED_HEAD);
    reply_error(c, http_status_code(status), NULL);
}

/* ---- on the shard that owns the server-id ---- */

/* NAME is PREFIX-server-id-8 hex digits; false: out of memory. */
static bool set_name(struct conn *c, const char *prefix, struct span id)
{
    size_t cap = strlen(prefix) + id.len + sizeof("--01234567");
    char *buf = malloc(cap);

    if (buf == NULL)
        return false;

    struct text name = text_over(buf, cap);

    text_add_str(&name, prefix);
    text_add(&name, id);
    text_addf(&name, "-%08x", c->number);
    assert(!name.cut);
    c->name = name.ptr;
    c->name_len = name.len;
    return true;
}

static bool prepare_phone(struct conn *c, struct span id)
{
    size_t len = 0;

    if (!set_name(c, "client-", id))
        return false;
    len = envelope_prefix(conn_name(c), NULL, 0);
    c->prefix = malloc(len);
    if (c->prefix == NULL)
        return false;
    c->prefix_len = envelope_prefix(conn_name(c), c->prefix, len);
    return true;
}

/* Everything that can fail is done before the 101. */
static bool prepare(struct conn *c, struct span id)
{
    c->number = shard_draw_number(c->shard);
    if (c->role == CONN_BINARY)
        return set_name(c, "server-", id);
    return prepare_phone(c, id);
}

static void switch_protocols(struct conn *c, const struct http_head *head)
{
    char buf[256];
    uint8_t challenge[WS_CHALLENGE_LEN];
    uint8_t digest[WS_DIGEST_LEN];
    uint8_t accept[WS_ACCEPT_LEN];
    struct text t = text_over(buf, sizeof(buf));

    ws_upgrade_challenge(head, challenge);
    sha1(span_of(challenge, sizeof(challenge)), digest);
    ws_upgrade_accept(digest, accept);
    text_add_str(&t,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    text_add(&t, span_of(accept, sizeof(accept)));
    text_add_str(&t, "\r\n\r\n");
    if (conn_append(c, span_of(t.ptr, t.len), OUTBOX_HTTP))
        conn_open(c);
}

void admission_claimed(struct conn *c, struct span version)
{
    LOG(LOG_INFO, "server_claimed",
        LOG_FIELD(LOG_SERVER_ID, registry_slot_id(c->slot)),
        LOG_FIELD(LOG_BINARY_VERSION, version),
        LOG_TEXT(LOG_REMOTE, c->remote));
}

static void refuse_phone(struct conn *c, const struct gate_admission *who,
    enum registry_join outcome)
{
    struct metrics *m = &c->shard->metrics;
    bool at_cap = outcome == REGISTRY_AT_CAP;

    metrics_count(m, at_cap ? METRIC_CLIENT_429 : METRIC_CLIENT_404);
    metrics_count(m, at_cap ? METRIC_PHONES_AT_CAP : METRIC_NO_SERVER);
    LOG(LOG_INFO, at_cap ? "phone_register_at_cap" : "phone_register_no_server",
        LOG_FIELD(LOG_SERVER_ID, who->server_id),
        LOG_TEXT(LOG_REMOTE, c->remote));
    if (at_cap) {
        conn_close(c, 4429, "too many phones for server-id");
    } else {
        conn_close(c, 4404, "no server with that id");
    }
}

static void join(struct conn *c, const struct gate_admission *who)
{
    enum registry_join outcome =
        registry_join(&c->shard->registry, who->server_id, c, &c->slot);

    if (outcome != REGISTRY_JOINED) {
        refuse_phone(c, who, outcome);
        return;
    }
    if (who->device_name_cut)
        metrics_count(&c->shard->metrics, METRIC_DEVICE_NAMES_CUT);
    c->listed = true;
    c->binary_turn = c->slot->binary_turn;
    metrics_count(&c->shard->metrics, METRIC_CLIENT_ACCEPT);
    LOG(LOG_INFO, "phone_registered", LOG_FIELD(LOG_SERVER_ID, who->server_id),
        LOG_FIELD(LOG_CONN_ID, conn_name(c)),
        LOG_FIELD(LOG_DEVICE_NAME, who->device_name),
        LOG_TEXT(LOG_REMOTE, c->remote));
    conn_update_interest(c); /* its binary may be behind */
}

void admission_enter(struct conn *c, const struct http_head *head)
{
    struct gate_admission who;
    enum gate_verdict verdict = judge_gate(c, head, &who);

    assert(verdict == GATE_ADMITTED); /* by admission_judge() */
    (void)verdict;
    if (!prepare(c, who.server_id)) {
        metrics_count(&c->shard->metrics, METRIC_MEMORY_REFUSALS);
        metrics_count(&c->shard->metrics, METRIC_UNAVAILABLE_MEMORY);
        reply_error(c, 503, NULL);
        return;
    }
    switch_protocols(c, head);
    if (c->state != CONN_OPEN)
        return;
    if (c->role == CONN_BINARY) {
        claim_start(c, &who);
    } else {
        join(c, &who);
    }
}
