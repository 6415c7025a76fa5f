#include "relay/forward.h"

#include <assert.h>

#include "base/utf8.h"
#include "relay/delivery.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/relay.h"
#include "relay/session.h"
#include "relay/wake.h"
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
    metrics_count(&phone->shard->metrics, METRIC_PHONE_NOT_JSON);
    log_conn(LOG_WARN, "phone_forwarder_marshal_err", phone,
        "relay: frame is not one valid JSON value");
    session_expel(phone, 1000, "");
}

void forward_from_phone(
    struct conn *phone, enum ws_opcode opcode, struct span payload)
{
    struct conn *binary = phone->slot->binary;

    if (!json_valid(payload)) {
        refuse_message(phone, opcode, payload);
        return;
    }
    if (binary == NULL) {
        metrics_count(&phone->shard->metrics, METRIC_PHONE_NO_BINARY);
        log_conn(LOG_INFO, "phone_forwarder_send_failed", phone,
            "binary connection is closed");
        session_expel(phone, 1000, "");
        return;
    }

    const struct delivery delivery = {
        .to = binary,
        .prefix = span_of(phone->prefix, phone->prefix_len),
        .payload = payload,
        .suffix = span_of("}", 1),
        .from = phone->number,
    };

    if (delivery_make(&delivery) == DELIVERY_NO_MEMORY) {
        log_conn(
            LOG_INFO, "phone_forwarder_send_failed", phone, "out of memory");
        session_expel(phone, 1000, "");
    }
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

static size_t limit_of(const struct conn *c, enum config_flag flag)
{
    return config_count(c->shard->relay->config, flag);
}

/* A phone that does not keep up with its binary pays.  code: of a close that
 * the binary asked for; then it gets no notice. */
static void overflow(struct conn *phone, uint16_t code, const char *err)
{
    enqueue_failed(phone, err);
    phone->leave_code = code;
    session_expel(phone, code == 0 ? 1011 : code, "phone backlog full");
}

static struct conn *find_slowest(const struct slot *slot)
{
    struct conn *slowest = slot->phones[0];

    for (size_t i = 1; i < slot->phone_count; i++) {
        if (slot->phones[i]->out.cost > slowest->out.cost)
            slowest = slot->phones[i];
    }
    return slowest;
}

static bool fits_budget(const struct slot *slot, size_t cost, size_t limit)
{
    return cost <= limit && slot->queued <= limit - cost;
}

/* The budget of the server-id: the phone with the longest queue makes room,
 * which may be this one.  False: it was, or it went with its binary, which a
 * close notice without memory ends. */
static bool make_room(struct conn *phone, size_t cost, uint16_t code)
{
    struct slot *slot = phone->slot;
    size_t limit = limit_of(phone, CONFIG_MAX_QUEUED_PER_SERVER);

    while (!fits_budget(slot, cost, limit)) {
        struct conn *slowest = find_slowest(slot);

        if (slowest->out.cost < phone->out.cost + cost)
            slowest = phone;
        metrics_count(&phone->shard->metrics, METRIC_OVERFLOW_SERVER_ID);
        overflow(slowest, slowest == phone ? code : 0,
            "relay: server-id delivery backlog full");
        if (!phone->listed)
            return false;
    }
    return true;
}

/* In both budgets, as it nearly always is. */
static bool fits(const struct conn *phone, size_t len)
{
    size_t cost = len + LIMIT_OUTBOX_ITEM;
    size_t limit = limit_of(phone, CONFIG_MAX_QUEUED_PER_PHONE);

    return cost <= limit && phone->out.cost <= limit - cost &&
           fits_budget(phone->slot, cost,
               limit_of(phone, CONFIG_MAX_QUEUED_PER_SERVER));
}

/* Is there room for an item of that length?  False: the phone is closed. */
static bool has_room(struct conn *phone, size_t len, uint16_t code)
{
    size_t cost = len + LIMIT_OUTBOX_ITEM;
    size_t limit = limit_of(phone, CONFIG_MAX_QUEUED_PER_PHONE);

    if (cost <= limit && phone->out.cost <= limit - cost)
        return make_room(phone, cost, code);
    metrics_count(&phone->shard->metrics, METRIC_OVERFLOW_PHONE);
    overflow(phone, code, "relay: phone delivery backlog full");
    return false;
}

/* code: of the close that follows; 0: none.  False: the phone is closed. */
static bool deliver(struct conn *phone, struct span frame, uint16_t code)
{
    const struct delivery delivery = {
        .to = phone,
        .prefix = span_of(NULL, 0),
        .payload = frame,
        .suffix = span_of(NULL, 0),
        .cost = frame.len + LIMIT_OUTBOX_ITEM,
    };

    if (!fits(phone, frame.len) && !has_room(phone, frame.len, code))
        return false;
    switch (delivery_make(&delivery)) {
    case DELIVERY_SENT:
        return true;
    case DELIVERY_QUEUED:
        phone->slot->queued += delivery.cost;
        return true;
    case DELIVERY_NO_MEMORY:
        break;
    }
    enqueue_failed(phone, "out of memory");
    session_expel(phone, 1011, "phone write failed");
    return false;
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
    outbox_commit(&phone->out, &(struct outbox_item){
                                   .len = len,
                                   .cost = LIMIT_OUTBOX_ITEM,
                                   .kind = OUTBOX_CLOSE,
                               });
    phone->slot->queued += LIMIT_OUTBOX_ITEM;
    phone->leave_code = code;
    conn_mark_dirty(phone);
}

/* The phone whose envelope this is, word for word; NULL: it may be one in
 * other words. */
static struct conn *unwrap(
    const struct slot *slot, struct span payload, struct span *ret_frame)
{
    for (size_t i = 0; i < slot->phone_count; i++) {
        struct conn *phone = slot->phones[i];
        struct span prefix = span_of(phone->prefix, phone->prefix_len);

        if (envelope_unwrap(payload, prefix, ret_frame))
            return phone;
    }
    return NULL;
}

/* Nothing goes behind a close that its binary asked for. */
static bool is_open(struct conn *phone)
{
    if (phone->leave_code == 0)
        return true;
    enqueue_failed(phone, "relay: phone outbox closed");
    return false;
}

static void route(struct conn *binary, const struct envelope *envelope)
{
    struct conn *phone = find_phone(binary->slot, envelope);

    if (phone == NULL) {
        /* The id as the binary wrote it, cut: it is its own text. */
        size_t len = envelope->conn_id.len;

        metrics_count(&binary->shard->metrics, METRIC_ENVELOPE_UNKNOWN_CONN_ID);

        if (len > LIMIT_LOG_VALUE_BYTES)
            len = LIMIT_LOG_VALUE_BYTES;
        LOG(LOG_WARN, "binary_forwarder_unknown_conn_id",
            LOG_FIELD(LOG_SERVER_ID, id_of(binary)),
            LOG_FIELD(LOG_CONN_ID, span_of(envelope->conn_id.ptr, len)));
        return;
    }
    if (!is_open(phone) ||
        (envelope->frame.len > 0 &&
            !deliver(phone, envelope->frame, envelope->close_code)))
        return;
    if (envelope->close_code != 0)
        direct_close(phone, envelope->close_code);
}

static void refuse_envelope(struct conn *binary, enum envelope_status status)
{
    static const enum metric reasons[] = {
        [ENVELOPE_NOT_OBJECT] = METRIC_ENVELOPE_NOT_OBJECT,
        [ENVELOPE_BAD_CONN_ID] = METRIC_ENVELOPE_BAD_CONN_ID,
        [ENVELOPE_BAD_CLOSE_CODE] = METRIC_ENVELOPE_BAD_CLOSE_CODE,
        [ENVELOPE_ILLEGAL_CLOSE_CODE] = METRIC_ENVELOPE_ILLEGAL_CLOSE_CODE,
        [ENVELOPE_NO_CONN_ID] = METRIC_ENVELOPE_NO_CONN_ID,
        [ENVELOPE_NO_FRAME] = METRIC_ENVELOPE_NO_FRAME,
    };

    metrics_count(&binary->shard->metrics, reasons[status]);
    log_conn(LOG_WARN, "binary_forwarder_unmarshal_err", binary,
        envelope_text(status));
}

/* Whatever it is, in whatever words. */
static void take_envelope(
    struct conn *binary, enum ws_opcode opcode, struct span payload)
{
    struct envelope envelope;
    enum envelope_status status = envelope_parse(payload, &envelope);

    if (status == ENVELOPE_ROUTE) {
        route(binary, &envelope);
    } else if (status == ENVELOPE_PUSH_WAKE) {
        wake_request(binary, envelope.push_wake);
    } else if (is_bad_text(opcode, payload)) {
        close_bad_text(binary);
    } else {
        refuse_envelope(binary, status);
    }
}

void forward_from_binary(
    struct conn *binary, enum ws_opcode opcode, struct span payload)
{
    struct span frame;
    struct conn *phone = unwrap(binary->slot, payload, &frame);

    if (phone == NULL) {
        take_envelope(binary, opcode, payload);
    } else if (is_open(phone)) {
        (void)deliver(phone, frame, 0); /* or it was told why not */
    }
}
