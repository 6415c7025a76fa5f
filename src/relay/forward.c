#include "relay/forward.h"

#include <assert.h>

#include "base/utf8.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/session.h"
#include "wire/envelope.h"
#include "wire/json.h"

static struct span id_of(const struct conn *c)
{
    return registry_slot_id(c->slot);
}

static void log_conn(enum log_level level, const char *msg,
    const struct conn *c, const char *err)
{
    LOG(level, msg, LOG_FIELD(LOG_SERVER_ID, id_of(c)),
        LOG_FIELD(c->role == CONN_PHONE ? LOG_CONN_ID : LOG_BINARY_CONN_ID,
            conn_name(c)),
        LOG_TEXT(LOG_ERR, err));
}

/* Text that is not UTF-8 breaks RFC 6455 section 8.1, whatever else it is. */
static bool is_bad_text(enum ws_opcode opcode, struct span payload)
{
    return opcode == WS_TEXT && !utf8_valid(payload);
}

static void close_bad_text(struct conn *c)
{
    session_ended(c, SESSION_LOST, ws_frame_text(WS_BAD_UTF8));
    conn_close(c, ws_frame_close_code(WS_BAD_UTF8), ws_frame_text(WS_BAD_UTF8));
}

/* ---- phone to binary ---- */

static void refuse_message(
    struct conn *phone, enum ws_opcode opcode, struct span payload)
{
    if (is_bad_text(opcode, payload)) {
        close_bad_text(phone);
        return;
    }
    log_conn(LOG_WARN, "phone_forwarder_marshal_err", phone,
        "relay: frame is not one valid JSON value");
    session_expel(phone, 1000, "");
}

void forward_from_phone(
    struct conn *phone, enum ws_opcode opcode, struct span payload)
{
    struct conn *binary = phone->slot->binary;
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t body_len = phone->prefix_len + payload.len + 1;
    size_t header_len = 0;
    uint8_t *to = NULL;

    if (!json_valid(payload)) {
        refuse_message(phone, opcode, payload);
        return;
    }
    if (binary == NULL) {
        log_conn(LOG_INFO, "phone_forwarder_send_failed", phone,
            "binary connection is closed");
        session_expel(phone, 1000, "");
        return;
    }
    header_len = ws_frame_encode(header, WS_TEXT, body_len);
    to = outbox_reserve(&binary->out, header_len + body_len);
    if (to == NULL) {
        log_conn(
            LOG_INFO, "phone_forwarder_send_failed", phone, "out of memory");
        session_expel(phone, 1000, "");
        return;
    }
    memcpy(to, header, header_len);
    to += header_len;
    memcpy(to, phone->prefix, phone->prefix_len);
    to += phone->prefix_len;
    memcpy(to, payload.ptr, payload.len);
    to[payload.len] = '}';
    outbox_commit(&binary->out, (struct outbox_item){
                                    .len = header_len + body_len,
                                    .from = phone->number,
                                    .kind = OUTBOX_FRAME,
                                });
    conn_mark_dirty(binary);
}

/* ---- binary to phone ---- */

static struct conn *find_phone(
    const struct slot *slot, const struct envelope *envelope)
{
    for (size_t i = 0; i < slot->phone_count; i++) {
        if (envelope_names(envelope, conn_name(slot->phones[i])))
            return slot->phones[i];
    }
    return NULL;
}

static void enqueue_failed(struct conn *phone, const char *err)
{
    log_conn(LOG_INFO, "binary_forwarder_phone_enqueue_failed", phone, err);
}

/* Is there room for an item of that length in the phone's budget?  If not,
 * the phone pays: it does not keep up with its binary. */
static bool has_room(struct conn *phone, size_t len, uint16_t close_code)
{
    size_t cost = len + LIMIT_OUTBOX_ITEM;

    if (cost <= LIMIT_OUTBOX_BYTES &&
        phone->out.cost <= LIMIT_OUTBOX_BYTES - cost)
        return true;
    enqueue_failed(phone, "relay: phone delivery backlog full");
    phone->leave_code = close_code; /* asked for: then no notice */
    session_expel(
        phone, close_code == 0 ? 1011 : close_code, "phone backlog full");
    return false;
}

static bool deliver(struct conn *phone, const struct envelope *envelope)
{
    struct span frame = envelope->frame;
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t header_len = ws_frame_encode(header, WS_TEXT, frame.len);
    uint8_t *to = NULL;

    if (!has_room(phone, frame.len, envelope->close_code))
        return false;
    to = outbox_reserve(&phone->out, header_len + frame.len);
    if (to == NULL) {
        enqueue_failed(phone, "out of memory");
        session_expel(phone, 1011, "phone write failed");
        return false;
    }
    memcpy(to, header, header_len);
    memcpy(to + header_len, frame.ptr, frame.len);
    outbox_commit(&phone->out, (struct outbox_item){
                                   .len = header_len + frame.len,
                                   .cost = frame.len + LIMIT_OUTBOX_ITEM,
                                   .kind = OUTBOX_FRAME,
                               });
    conn_mark_dirty(phone);
    return true;
}

static void direct_close(struct conn *phone, uint16_t code)
{
    uint8_t frame[WS_CLOSE_FRAME_MAX];
    size_t len = ws_close_encode(frame, code, span_of(NULL, 0));
    uint8_t *to = NULL;

    if (!has_room(phone, 0, code))
        return;
    to = outbox_reserve(&phone->out, len);
    if (to == NULL) {
        enqueue_failed(phone, "out of memory");
        session_expel(phone, code, "");
        return;
    }
    memcpy(to, frame, len);
    outbox_commit(&phone->out, (struct outbox_item){
                                   .len = len,
                                   .cost = LIMIT_OUTBOX_ITEM,
                                   .kind = OUTBOX_CLOSE,
                               });
    phone->leave_code = code;
    conn_mark_dirty(phone);
}

static void route(struct conn *binary, const struct envelope *envelope)
{
    struct conn *phone = find_phone(binary->slot, envelope);

    if (phone == NULL) {
        /* The id as the binary wrote it, cut: it is its own text. */
        size_t len = envelope->conn_id.len;

        if (len > LIMIT_LOG_VALUE_BYTES)
            len = LIMIT_LOG_VALUE_BYTES;
        LOG(LOG_WARN, "binary_forwarder_unknown_conn_id",
            LOG_FIELD(LOG_SERVER_ID, id_of(binary)),
            LOG_FIELD(LOG_CONN_ID, span_of(envelope->conn_id.ptr, len)));
        return;
    }
    if (phone->leave_code != 0) {
        enqueue_failed(phone, "relay: phone outbox closed");
        return;
    }
    if (envelope->frame.len > 0 && !deliver(phone, envelope))
        return;
    if (envelope->close_code != 0)
        direct_close(phone, envelope->close_code);
}

void forward_from_binary(
    struct conn *binary, enum ws_opcode opcode, struct span payload)
{
    struct envelope envelope;
    enum envelope_status status = envelope_parse(payload, &envelope);

    if (status == ENVELOPE_ROUTE) {
        route(binary, &envelope);
    } else if (status == ENVELOPE_PUSH_WAKE) {
        log_conn(LOG_WARN, "binary_forwarder_push_wake_dropped", binary,
            "relay: push is off");
    } else if (is_bad_text(opcode, payload)) {
        close_bad_text(binary);
    } else {
        log_conn(LOG_WARN, "binary_forwarder_unmarshal_err", binary,
            envelope_text(status));
    }
}
