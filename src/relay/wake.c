#include "relay/wake.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/sha256.h"
#include "base/text.h"
#include "relay/log.h"
#include "relay/wake_part.h"
#include "wire/push_wake.h"

/* ---- slots ---- */

struct wake_slot *wake_slot_take(struct wakes *w, uint32_t id)
{
    struct wake_slot *slot = &w->slots[id % LIMIT_WAKES];
    uint32_t expected = id;

    if (id < WAKE_SLOT_FIRST ||
        !atomic_compare_exchange_strong_explicit(&slot->holder, &expected,
            WAKE_SLOT_BUSY, memory_order_acquire, memory_order_relaxed))
        return NULL;
    return slot;
}

void wake_slot_free(struct wake_slot *slot)
{
    atomic_store_explicit(&slot->holder, WAKE_SLOT_FREE, memory_order_release);
}

static struct wake_slot *claim_slot(struct wakes *w)
{
    for (size_t i = 0; i < LIMIT_WAKES; i++) {
        uint32_t expected = WAKE_SLOT_FREE;

        if (atomic_compare_exchange_strong_explicit(&w->slots[i].holder,
                &expected, WAKE_SLOT_BUSY, memory_order_acquire,
                memory_order_relaxed))
            return &w->slots[i];
    }
    return NULL;
}

static void write_fingerprint(struct span token, char ret[WAKE_FP_LEN + 1])
{
    uint8_t hash[SHA256_LEN];
    struct text t = text_over(ret, WAKE_FP_LEN + 1);

    sha256(token, hash);
    for (size_t i = 0; i < WAKE_FP_LEN / 2; i++)
        text_addf(&t, "%02x", (unsigned)hash[i]);
}

/* From now on the control shard may end it; its id. */
static uint32_t fill_slot(struct wakes *w, struct wake_slot *slot,
    struct conn *binary, struct span token)
{
    struct span server_id = registry_slot_id(binary->slot);
    uint32_t id = 0;

    assert(server_id.len <= sizeof(slot->server_id));
    memcpy(slot->server_id, server_id.ptr, server_id.len);
    slot->server_id_len = server_id.len;
    write_fingerprint(token, slot->token_fp);
    atomic_store_explicit(&slot->began_ms,
        worker_now_ms(&binary->shard->worker), memory_order_relaxed);
    while (id < WAKE_SLOT_FIRST) { /* twice where the serial wraps */
        uint32_t serial =
            atomic_fetch_add_explicit(&w->serial, 1, memory_order_relaxed) + 1;

        id = serial * LIMIT_WAKES + (uint32_t)(slot - w->slots);
    }
    atomic_store_explicit(&slot->holder, id, memory_order_release);
    return id;
}

/* ---- admission ---- */

/* Why a wish is not granted: the log's words, and what is counted. */
struct refusal {
    const char *err;
    enum metric reason;
    bool is_dropped; /* counts as an outcome */
};

static void refuse(struct conn *binary, const struct refusal *why)
{
    struct metrics *m = &binary->shard->metrics;

    metrics_count(m, why->reason);
    if (why->is_dropped)
        metrics_count(m, METRIC_PUSH_DROPPED);
    LOG(LOG_WARN, "binary_forwarder_push_wake_dropped",
        LOG_FIELD(LOG_SERVER_ID, registry_slot_id(binary->slot)),
        LOG_FIELD(LOG_BINARY_CONN_ID, conn_name(binary)),
        LOG_TEXT(LOG_ERR, why->err));
}

static void refuse_wish(struct conn *binary, enum push_wake_status status)
{
    static const enum metric reasons[] = {
        [PUSH_WAKE_OK] = METRIC_PUSH_MALFORMED,
        [PUSH_WAKE_MALFORMED] = METRIC_PUSH_MALFORMED,
        [PUSH_WAKE_BAD_PLATFORM] = METRIC_PUSH_PLATFORM,
        [PUSH_WAKE_NO_TOKEN] = METRIC_PUSH_TOKEN,
        [PUSH_WAKE_LONG_TOKEN] = METRIC_PUSH_TOKEN,
    };

    refuse(binary, &(struct refusal){
                       .err = push_wake_text(status),
                       .reason = reasons[status],
                   });
}

/* A text that is no address, whatever the server-id: those of one network
 * would share an account. */
static struct address_key key_of(const struct wakes *w, struct span server_id)
{
    char buf[LIMIT_SERVER_ID_BYTES + sizeof("id ")];
    struct text t = text_over(buf, sizeof(buf));

    text_add_str(&t, "id ");
    text_add(&t, server_id);
    return address_table_key_of_text(w->accounts, span_of(buf, t.len));
}

static bool may_wake(struct wakes *w, const struct conn *binary)
{
    struct address_key key = key_of(w, registry_slot_id(binary->slot));

    return address_table_take_token(w->accounts, &key,
               worker_now_ms(&binary->shard->worker)) == ADDRESS_ADMITTED;
}

static bool is_below_ceiling(struct wakes *w, const struct conn *binary)
{
    return wake_ceiling_take(&w->ceiling,
        config_count(w->relay->config, CONFIG_MAX_WAKES_PER_SECOND),
        worker_now_ms(&binary->shard->worker));
}

/* Hand it on without waiting.  False: it was not taken. */
static bool hand_on(
    const struct wakes *w, struct conn *binary, uint32_t id, struct span token)
{
    uint8_t *bytes = binary->shard->wake.message;
    const struct push_message message = {
        .type = PUSH_SEND, .id = id, .text = token};
    size_t len = push_message_encode(&message, bytes, PUSH_MESSAGE_MAX);
    ssize_t sent = -1;

    if (len > 0) {
        do {
            sent = send(w->send_fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
    }
    explicit_bzero(bytes, len);
    return sent == (ssize_t)len;
}

/* It is admitted but for what there is of room. */
static const struct refusal *begin(
    struct wakes *w, struct conn *binary, struct span token)
{
    static const struct refusal full = {
        "relay: push_wake in-flight cap reached", METRIC_PUSH_IN_FLIGHT, true};
    static const struct refusal ceiling = {
        "relay: push_wake rate-limited relay-wide", METRIC_PUSH_CEILING, true};
    static const struct refusal no_process = {
        "relay: push process takes no wakes", METRIC_PUSH_PROCESS, true};
    struct wake_slot *slot = NULL;
    uint32_t id = 0;

    if (atomic_load_explicit(&w->is_down, memory_order_relaxed))
        return &no_process;
    slot = claim_slot(w);
    if (slot == NULL)
        return &full;
    if (!is_below_ceiling(w, binary)) {
        wake_slot_free(slot);
        return &ceiling;
    }
    id = fill_slot(w, slot, binary, token);
    if (hand_on(w, binary, id, token))
        return NULL;
    slot = wake_slot_take(w, id);
    if (slot == NULL)
        return NULL; /* the control shard has ended it meanwhile */
    wake_slot_free(slot);
    return &no_process;
}

void wake_request(struct conn *binary, struct span value)
{
    static const struct refusal off = {
        "relay: push is off", METRIC_PUSH_OFF, false};
    static const struct refusal rate = {
        "relay: push_wake rate-limited for server-id", METRIC_PUSH_SERVER_ID,
        true};
    struct wakes *w = &binary->shard->relay->wakes;
    uint8_t *buf = binary->shard->wake.token;
    struct span token;
    enum push_wake_status status = PUSH_WAKE_OK;
    const struct refusal *why = NULL;

    if (!w->is_on) {
        refuse(binary, &off);
        return;
    }
    status = push_wake_parse(value, buf, &token);
    if (status != PUSH_WAKE_OK) {
        refuse_wish(binary, status);
        return;
    }
    why = may_wake(w, binary) ? begin(w, binary, token) : &rate;
    if (why != NULL)
        refuse(binary, why);
    explicit_bzero(buf, token.len);
}

size_t wake_count(const struct relay *relay)
{
    size_t count = 0;

    for (size_t i = 0; i < LIMIT_WAKES; i++) {
        count += atomic_load_explicit(&relay->wakes.slots[i].holder,
                     memory_order_relaxed) != WAKE_SLOT_FREE;
    }
    return count;
}
