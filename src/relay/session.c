#include "relay/session.h"

#include <assert.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/text.h"
#include "relay/forward.h"
#include "relay/gate.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/status.h"
#include "wire/envelope.h"
#include "wire/ws_upgrade.h"

static struct span id_of(const struct conn *c)
{
    return registry_slot_id(c->slot);
}

/* ---- the end of a phone ---- */

/* Tell the binary that was there at the phone's registration.  A binary that
 * is gone or was replaced gets none: a new one does not know the phone. */
static void send_close_notice(struct conn *phone, uint16_t code)
{
    struct slot *slot = phone->slot;
    uint8_t frame[WS_SERVER_HEADER_MAX + LIMIT_SERVER_ID_BYTES * 6 + 64];
    uint8_t *body = frame + WS_SERVER_HEADER_MAX;
    size_t room = sizeof(frame) - WS_SERVER_HEADER_MAX;
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t len = 0;
    size_t header_len = 0;

    if (slot->binary_turn != phone->binary_turn)
        return;
    len = envelope_close_notice(conn_name(phone), code, body, room);
    assert(len <= room);
    header_len = ws_frame_encode(header, WS_TEXT, len);
    memcpy(body - header_len, header, header_len);
    if (slot->binary != NULL &&
        conn_append(slot->binary, span_of(body - header_len, header_len + len),
            OUTBOX_NOTICE))
        return;
    LOG(LOG_INFO, "phone_close_notice_send_failed",
        LOG_FIELD(LOG_SERVER_ID, registry_slot_id(slot)),
        LOG_FIELD(LOG_CONN_ID, conn_name(phone)), LOG_INT(LOG_CLOSE_CODE, code),
        LOG_TEXT(LOG_ERR, "binary connection is closed"));
}

static void unlist_phone(struct conn *phone)
{
    phone->listed = false;
    registry_leave(phone->slot, phone);
    LOG(LOG_INFO, "phone_unregistered", LOG_FIELD(LOG_SERVER_ID, id_of(phone)),
        LOG_FIELD(LOG_CONN_ID, conn_name(phone)));
}

static void phone_gone(struct conn *phone, uint16_t code)
{
    if (phone->leave_code == 0)
        send_close_notice(phone, code);
    unlist_phone(phone);
}

void session_expel(struct conn *phone, uint16_t code, const char *reason)
{
    assert(phone->role == CONN_PHONE && phone->listed);
    phone_gone(phone, SESSION_LOST);
    conn_close(phone, code, reason);
}

static void log_phone(
    enum log_level level, const char *msg, struct conn *c, const char *err)
{
    LOG(level, msg, LOG_FIELD(LOG_SERVER_ID, id_of(c)),
        LOG_FIELD(LOG_CONN_ID, conn_name(c)), LOG_TEXT(LOG_ERR, err));
}

static void phone_ended(struct conn *phone, unsigned how, const char *err)
{
    if (how != SESSION_WRITE_FAILED) {
        log_phone(LOG_INFO, "phone_forwarder_read_end", phone, err);
    } else if (phone->leave_code != 0) {
        LOG(LOG_INFO, "binary_forwarder_close_frame_send_failed",
            LOG_FIELD(LOG_SERVER_ID, id_of(phone)),
            LOG_FIELD(LOG_CONN_ID, conn_name(phone)),
            LOG_INT(LOG_CLOSE_CODE, phone->leave_code), LOG_TEXT(LOG_ERR, err));
    } else {
        log_phone(LOG_INFO, "binary_forwarder_phone_send_failed", phone, err);
    }
    phone_gone(
        phone, how == SESSION_WRITE_FAILED ? SESSION_LOST : (uint16_t)how);
}

/* ---- the end of a binary ---- */

/* Phones whose frames it did not take have lost them, and are told so. */
static void close_unheard_phones(struct conn *binary, struct slot *slot)
{
    struct conn *phones[LIMIT_PHONES];
    size_t count = slot->phone_count;

    memcpy(phones, slot->phones, sizeof(phones));
    for (size_t i = 0; i < count; i++) {
        conn_update_interest(phones[i]);
        if (!outbox_holds(&binary->out, phones[i]->number))
            continue;
        log_phone(LOG_INFO, "phone_forwarder_send_failed", phones[i],
            "binary connection ended before the frame was written");
        session_expel(phones[i], 1000, "");
    }
}

static void unlist_binary(struct conn *binary)
{
    struct slot *slot = binary->slot;

    binary->listed = false;
    registry_release(slot, binary, worker_now_ms(&binary->relay->worker));
    LOG(LOG_INFO, "server_released",
        LOG_FIELD(LOG_SERVER_ID, registry_slot_id(slot)));
}

static void binary_ended(struct conn *binary, const char *err)
{
    struct slot *slot = binary->slot;

    LOG(LOG_INFO, "binary_forwarder_read_end",
        LOG_FIELD(LOG_SERVER_ID, id_of(binary)),
        LOG_FIELD(LOG_BINARY_CONN_ID, conn_name(binary)),
        LOG_TEXT(LOG_ERR, err));
    unlist_binary(binary);
    close_unheard_phones(binary, slot);
}

void session_ended(struct conn *c, unsigned how, const char *err)
{
    if (!c->listed)
        return;
    if (c->role == CONN_PHONE) {
        phone_ended(c, how, err);
    } else {
        binary_ended(c, err);
    }
}

void session_evicted(struct conn *phone, uint16_t code, const char *reason)
{
    phone->listed = false;
    LOG(LOG_INFO, "phone_unregistered", LOG_FIELD(LOG_SERVER_ID, id_of(phone)),
        LOG_FIELD(LOG_CONN_ID, conn_name(phone)));
    conn_close(phone, code, reason);
}

void session_grace_over(struct conn *const *phones, size_t count)
{
    for (size_t i = 0; i < count; i++)
        session_evicted(phones[i], 1000, "");
}

void session_drain(struct conn *c)
{
    if (c->listed && c->role == CONN_PHONE) {
        unlist_phone(c);
    } else if (c->listed) {
        unlist_binary(c);
    }
    if (c->state == CONN_OPEN) {
        conn_close(c, 1001, "shutting down");
    } else if (c->state == CONN_HEAD) {
        conn_drop(c);
    }
}

/* ---- admission ---- */

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

static bool number_is_taken(const struct slot *slot, uint32_t number)
{
    for (size_t i = 0; slot != NULL && i < slot->phone_count; i++) {
        if (slot->phones[i]->number == number)
            return true;
    }
    return false;
}

/* Random, never 0, unique within the slot.  False: the kernel gives none. */
static bool draw_number(const struct slot *slot, uint32_t *ret)
{
    uint32_t number = 0;

    do {
        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            return false;
    } while (number == 0 || number_is_taken(slot, number));
    *ret = number;
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

static void switch_protocols(struct conn *c, const struct http_head *head)
{
    char buf[256];
    uint8_t challenge[WS_CHALLENGE_LEN];
    uint8_t digest[WS_DIGEST_LEN];
    uint8_t accept[WS_ACCEPT_LEN];
    struct text t = text_over(buf, sizeof(buf));

    ws_upgrade_challenge(head, challenge);
    (void)SHA1(challenge, sizeof(challenge), digest);
    ws_upgrade_accept(digest, accept);
    text_add_str(&t,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    text_add(&t, span_of(accept, sizeof(accept)));
    text_add_str(&t, "\r\n\r\n");
    if (!conn_append(c, span_of(t.ptr, t.len), OUTBOX_HTTP))
        return;
    c->upgraded = true;
    c->relay->upgraded_count++;
    conn_open(c);
}

static void admit_binary(struct conn *c, const struct gate_admission *who)
{
    struct relay *relay = c->relay;
    struct registry_evicted evicted;
    enum registry_claim outcome =
        registry_claim(&relay->registry, who->server_id, c, &c->slot, &evicted);

    if (outcome == REGISTRY_NO_MEMORY) {
        conn_drop(c);
        return;
    }
    if (outcome == REGISTRY_IN_USE) {
        metrics_count(&relay->metrics, METRIC_SERVER_409);
        metrics_count(&relay->metrics, METRIC_SERVER_IN_USE);
        LOG(LOG_INFO, "server_id_conflict",
            LOG_FIELD(LOG_SERVER_ID, who->server_id),
            LOG_TEXT(LOG_REMOTE, c->remote));
        conn_close(c, 4409, "server-id already claimed");
        return;
    }
    c->listed = true;
    metrics_count(&relay->metrics, METRIC_SERVER_ACCEPT);
    for (size_t i = 0; i < evicted.count; i++)
        session_evicted(evicted.phones[i], 4404, "binary reclaimed server-id");
    LOG(LOG_INFO, "server_claimed", LOG_FIELD(LOG_SERVER_ID, who->server_id),
        LOG_FIELD(LOG_BINARY_VERSION, who->version),
        LOG_TEXT(LOG_REMOTE, c->remote));
}

static void refuse_phone(struct conn *c, const struct gate_admission *who,
    enum registry_join outcome)
{
    struct metrics *m = &c->relay->metrics;
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

static void admit_phone(struct conn *c, const struct gate_admission *who)
{
    struct relay *relay = c->relay;
    enum registry_join outcome =
        registry_join(&relay->registry, who->server_id, c, &c->slot);

    if (outcome != REGISTRY_JOINED) {
        refuse_phone(c, who, outcome);
        return;
    }
    c->listed = true;
    c->binary_turn = c->slot->binary_turn;
    metrics_count(&relay->metrics, METRIC_CLIENT_ACCEPT);
    LOG(LOG_INFO, "phone_registered", LOG_FIELD(LOG_SERVER_ID, who->server_id),
        LOG_FIELD(LOG_CONN_ID, conn_name(c)),
        LOG_FIELD(LOG_DEVICE_NAME, who->device_name),
        LOG_TEXT(LOG_REMOTE, c->remote));
}

/* Everything that can fail is done before the 101. */
static bool prepare(
    struct conn *c, enum gate_route route, const struct gate_admission *who)
{
    const struct slot *slot =
        registry_find(&c->relay->registry, who->server_id);

    if (!draw_number(slot, &c->number))
        return false;
    if (route == GATE_SERVER)
        return set_name(c, "server-", who->server_id);
    return prepare_phone(c, who->server_id);
}

static bool is_at_cap(struct conn *c, const struct http_head *head)
{
    const struct relay *relay = c->relay;

    if (relay->upgraded_count < relay->config->max_connections)
        return false;
    LOG(LOG_WARN, "conn_cap_reached", LOG_FIELD(LOG_PATH, head->path),
        LOG_TEXT(LOG_REMOTE, c->remote));
    reply_error(c, 503, NULL);
    return true;
}

static void upgrade(
    struct conn *c, const struct http_head *head, enum gate_route route)
{
    struct gate_admission who;
    enum ws_upgrade_status status = WS_UPGRADE_OK;

    if (is_at_cap(c, head))
        return;
    if (!gate_admit(head, route, &who)) {
        metrics_count(&c->relay->metrics, route == GATE_SERVER
                                              ? METRIC_SERVER_HEADERS
                                              : METRIC_CLIENT_HEADERS);
        reply_error(c, 400, NULL);
        return;
    }
    status = ws_upgrade_check(head);
    if (status == WS_UPGRADE_OK && !prepare(c, route, &who)) {
        reply_error(c, 503, NULL);
        return;
    }
    switch (status) {
    case WS_UPGRADE_OK:
        switch_protocols(c, head);
        break;
    case WS_UPGRADE_NONE:
        reply_error(c, 426, "Upgrade: websocket\r\n");
        break;
    case WS_UPGRADE_METHOD:
        reply_error(c, 405, "Allow: GET\r\n");
        break;
    case WS_UPGRADE_VERSION:
        reply_error(c, 400, "Sec-WebSocket-Version: 13\r\n");
        break;
    case WS_UPGRADE_KEY:
        reply_error(c, 400, NULL);
        break;
    }
    if (c->state != CONN_OPEN)
        return;
    c->role = route == GATE_SERVER ? CONN_BINARY : CONN_PHONE;
    if (route == GATE_SERVER) {
        admit_binary(c, &who);
    } else {
        admit_phone(c, &who);
    }
}

static void answer_status(
    struct conn *c, const struct http_head *head, enum gate_route route)
{
    bool is_get = span_eq(head->method, span_str("GET"));
    bool is_head = span_eq(head->method, span_str("HEAD"));

    if (!is_get && !is_head) {
        reply_error(c, 405, "Allow: GET, HEAD\r\n");
    } else if (route == GATE_HEALTHZ) {
        status_healthz(c, is_head);
    } else {
        status_metrics(c);
    }
}

void session_head(struct conn *c, const struct http_head *head)
{
    enum gate_route route = gate_route(head);
    bool is_metrics = c->surface == CONN_METRICS;

    if (route == GATE_UNKNOWN || is_metrics != (route == GATE_METRICS)) {
        reply_error(c, 404, NULL);
    } else if (route == GATE_HEALTHZ || route == GATE_METRICS) {
        answer_status(c, head, route);
    } else {
        upgrade(c, head, route);
    }
}

void session_bad_head(struct conn *c, enum http_status status)
{
    reply_error(c, http_status_code(status), NULL);
}

/* ---- while it lives ---- */

void session_message(struct conn *c, enum ws_opcode opcode, struct span payload)
{
    if (!c->listed)
        return;
    if (c->role == CONN_PHONE) {
        forward_from_phone(c, opcode, payload);
    } else {
        forward_from_binary(c, opcode, payload);
    }
}

static void directed_close_sent(struct conn *phone)
{
    LOG(LOG_INFO, "binary_forwarder_phone_closed",
        LOG_FIELD(LOG_SERVER_ID, id_of(phone)),
        LOG_FIELD(LOG_CONN_ID, conn_name(phone)),
        LOG_INT(LOG_CLOSE_CODE, phone->leave_code));
    unlist_phone(phone);
    conn_await_close(phone);
}

void session_item_sent(struct conn *c, const struct outbox_item *item)
{
    struct metrics *m = &c->relay->metrics;

    switch (item->kind) {
    case OUTBOX_FRAME:
        metrics_count(m, c->role == CONN_BINARY ? METRIC_PHONE_TO_BINARY
                                                : METRIC_BINARY_TO_PHONE);
        break;
    case OUTBOX_CLOSE:
        if (c->listed)
            directed_close_sent(c);
        break;
    case OUTBOX_HTTP:
    case OUTBOX_CONTROL:
    case OUTBOX_NOTICE:
        break;
    }
}

/* A binary that does not keep up stops the reading of its phones. */
void session_flushed(struct conn *c)
{
    size_t pending = outbox_pending(&c->out).len;
    struct slot *slot = c->slot;

    if (!c->listed || c->role != CONN_BINARY)
        return;
    if (slot->paused ? pending >= LIMIT_UPLINK_LOW
                     : pending <= LIMIT_UPLINK_HIGH)
        return;
    slot->paused = !slot->paused;
    for (size_t i = 0; i < slot->phone_count; i++)
        conn_update_interest(slot->phones[i]);
}
