#include "relay/session.h"

#include <assert.h>

#include "relay/claim.h"
#include "relay/forward.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "wire/envelope.h"

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

/* Its slot has nothing queued for it any more. */
static void unlist(struct conn *phone)
{
    phone->listed = false;
    phone->slot->queued -= phone->out.cost;
}

static void log_unlisted(const struct conn *phone)
{
    LOG(LOG_INFO, "phone_unregistered", LOG_FIELD(LOG_SERVER_ID, id_of(phone)),
        LOG_FIELD(LOG_CONN_ID, conn_name(phone)));
}

static void unlist_phone(struct conn *phone)
{
    unlist(phone);
    registry_leave(phone->slot, phone);
}

/* It leaves its slot before the notice is sent: one that finds no memory ends
 * the binary, and with it the phones that are still there. */
static void phone_gone(struct conn *phone, uint16_t code)
{
    unlist_phone(phone);
    if (phone->leave_code == 0)
        send_close_notice(phone, code);
    log_unlisted(phone);
}

void session_expel(struct conn *phone, uint16_t code, const char *reason)
{
    assert(phone->role == CONN_PHONE && phone->listed);
    phone_gone(phone, code == SESSION_FAULT ? SESSION_FAULT : SESSION_LOST);
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
        phone, how == SESSION_WRITE_FAILED ? SESSION_FAULT : (uint16_t)how);
}

/* ---- the end of a binary ---- */

/* Phones whose frames it did not take have lost them, and are told so. */
static void close_unheard_phones(struct conn *binary, struct slot *slot)
{
    struct conn *phones[LIMIT_PHONES_MAX];
    size_t count = slot->phone_count;

    memcpy(phones, slot->phones, count * sizeof(struct conn *));
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
    registry_release(slot, binary, worker_now_ms(&binary->shard->worker));
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
    claim_vacated(slot);
}

void session_displaced(struct conn *binary)
{
    binary->listed = false;
    LOG(LOG_INFO, "server_released", LOG_FIELD(LOG_SERVER_ID, id_of(binary)));
    conn_close(binary, SESSION_FAULT, "heartbeat timeout");
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
    unlist(phone);
    log_unlisted(phone);
    conn_close(phone, code, reason);
}

void session_grace_over(struct conn *const *phones, size_t count)
{
    for (size_t i = 0; i < count; i++)
        session_evicted(phones[i], 1000, "");
}

/* Its slot knows it no more; nobody is told. */
static void unlist_quietly(struct conn *c)
{
    if (c->listed && c->role == CONN_PHONE) {
        unlist_phone(c);
        log_unlisted(c);
    } else if (c->listed) {
        unlist_binary(c);
    }
}

void session_part(struct conn *c)
{
    assert(c->state == CONN_OPEN);
    if (c->leave_code != 0)
        return; /* its binary's close is queued: it ends by that */
    unlist_quietly(c);
    conn_close_last(c, 1001, "shutting down");
}

void session_drain(struct conn *c)
{
    unlist_quietly(c);
    if (c->state == CONN_OPEN) {
        conn_close(c, 1001, "shutting down");
    } else if (c->state <= CONN_HEAD) {
        conn_drop(c);
    }
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
    log_unlisted(phone);
    conn_await_close(phone);
}

void session_frame_sent(
    struct conn *c, uint32_t payload_len, uint64_t read_ns, uint64_t now_ns)
{
    struct metrics *m = &c->shard->metrics;
    bool up = c->role == CONN_BINARY;

    metrics_count(m, up ? METRIC_PHONE_TO_BINARY : METRIC_BINARY_TO_PHONE);
    metrics_observe(m,
        up ? HISTOGRAM_SIZE_PHONE_TO_BINARY : HISTOGRAM_SIZE_BINARY_TO_PHONE,
        payload_len);
    metrics_observe(m,
        up ? HISTOGRAM_LATENCY_PHONE_TO_BINARY
           : HISTOGRAM_LATENCY_BINARY_TO_PHONE,
        now_ns - read_ns);
}

void session_item_sent(
    struct conn *c, const struct outbox_item *item, uint64_t now_ns)
{
    switch (item->kind) {
    case OUTBOX_FRAME:
        if (c->listed && c->role == CONN_PHONE)
            c->slot->queued -= item->cost;
        session_frame_sent(c, item->payload_len, item->read_ns, now_ns);
        break;
    case OUTBOX_CLOSE:
        if (c->listed) {
            c->slot->queued -= item->cost;
            directed_close_sent(c);
        }
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
