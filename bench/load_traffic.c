#include "bench/load_traffic.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock_ns.h"

static const char envelope_start[] = "{\"conn_id\":\"";
static const char envelope_frame[] = "\",\"frame\":";

enum direction { UP, DOWN };

static struct pair *pair_of(struct load_run *run, const struct peer *p)
{
    assert(p->index < run->options->pairs);
    return &run->pairs[p->index];
}

static bool is_ping(const struct load_run *run)
{
    return run->options->mode == LOAD_PING;
}

/*
 * A message at out; its length.  To a relay: the value of a phone as it is,
 * that of a binary in an envelope.  To who copies: what a relay would make of
 * it.
 */
static size_t write_message(struct load_run *run, const struct pair *pair,
    enum direction direction, uint8_t *out)
{
    bool is_relay = run->options->form == LOAD_RELAY;
    bool is_wrapped = is_relay == (direction == DOWN);
    enum frame_mask mask = is_relay ? FRAME_MASKED : FRAME_PLAIN;
    size_t len = run->payload.size + (is_wrapped ? pair->prefix_len + 1 : 0);
    const struct lane *lane = direction == UP ? &pair->up : &pair->down;
    size_t header_len = 0;
    uint8_t *at = NULL;

    run->key = run->key * 1664525 + 1013904223;
    header_len = frame_write_header(out, FRAME_TEXT, len, mask, run->key);
    at = out + header_len;
    if (is_wrapped) {
        memcpy(at, pair->prefix, pair->prefix_len);
        at += pair->prefix_len;
        at[run->payload.size] = '}';
    }
    payload_write(&run->payload, (uint32_t)(pair - run->pairs), lane->sent, at);
    if (mask == FRAME_MASKED)
        frame_apply_mask(out + header_len, len, run->key);
    return header_len + len;
}

static void send_burst(struct load_run *run, struct pair *pair,
    enum direction direction, uint64_t count)
{
    struct lane *lane = direction == UP ? &pair->up : &pair->down;
    struct peer *from = direction == UP ? &pair->phone : pair->binary;
    size_t len = 0;

    for (uint64_t i = 0; i < count; i++) {
        len += write_message(run, pair, direction, run->output + len);
        lane->sent++;
    }
    peer_send(&run->host, from, span_of(run->output, len));
}

static bool may_send(const struct load_run *run, const struct peer *from)
{
    return run->phase != LOAD_SETTING_UP && run->phase != LOAD_DRAINING &&
           from->state == PEER_OPEN && from->unsent_len == 0;
}

/* Keep the window full. */
static void pump(
    struct load_run *run, struct pair *pair, enum direction direction)
{
    const struct load_options *o = run->options;
    struct lane *lane = direction == UP ? &pair->up : &pair->down;
    struct peer *from = direction == UP ? &pair->phone : pair->binary;
    uint64_t first = direction == UP ? 1 : 0; /* the introduction */

    if ((o->directions & (direction == UP ? LOAD_UP : LOAD_DOWN)) == 0)
        return;
    while (may_send(run, from) &&
           lane->sent - lane->received + o->burst <= o->window &&
           (o->messages == 0 || lane->sent < o->messages + first)) {
        send_burst(run, pair, direction, o->burst);
    }
}

static void ask(struct load_run *run, struct pair *pair, uint64_t since_ns)
{
    uint64_t asked = pair->up.sent - 1;

    if (run->phase == LOAD_DRAINING ||
        (run->options->messages > 0 && asked == run->options->messages))
        return;
    pair->asked_ns = since_ns;
    pair->is_asking = true;
    send_burst(run, pair, UP, 1);
}

static void count(struct load_run *run, struct lane *lane, uint64_t sequence)
{
    if (sequence != lane->received) {
        load_run_fail(run, "message %llu came when %llu was next",
            (unsigned long long)sequence, (unsigned long long)lane->received);
    }
    lane->received++;
    if (run->phase == LOAD_MEASURING)
        run->messages++;
}

/* Learn what stands before the value in this pair's envelopes. */
static bool learn_prefix(
    struct load_run *run, struct pair *pair, struct span text)
{
    const uint8_t *frame =
        memmem(text.ptr, text.len, envelope_frame, sizeof(envelope_frame) - 1);
    size_t len = 0;

    if (frame == NULL ||
        memcmp(text.ptr, envelope_start, sizeof(envelope_start) - 1) != 0)
        return false;
    len = (size_t)(frame - text.ptr) + sizeof(envelope_frame) - 1;
    if (len > LOAD_PREFIX_MOST)
        return false;
    pair->prefix = malloc(len);
    if (pair->prefix == NULL) {
        load_run_fail(run, "out of memory");
        return false;
    }
    memcpy(pair->prefix, text.ptr, len);
    pair->prefix_len = len;
    return true;
}

/* The value in an envelope; nothing if it is not like the first one. */
static struct span unwrap(
    struct load_run *run, struct pair *pair, struct span text)
{
    const struct span nothing = {0};

    if ((pair->prefix_len == 0 && !learn_prefix(run, pair, text)) ||
        text.len <= pair->prefix_len ||
        memcmp(text.ptr, pair->prefix, pair->prefix_len) != 0 ||
        text.ptr[text.len - 1] != '}')
        return nothing;
    text = span_from(text, pair->prefix_len);
    text.len--;
    return text;
}

static void on_received(
    struct peer_host *host, struct peer *p, struct span text)
{
    struct load_run *run = load_run_of(host);
    struct pair *pair = pair_of(run, p);
    bool is_up = p->role == PEER_BINARY;
    uint32_t named = 0;
    uint64_t sequence = 0;

    if (is_up)
        text = unwrap(run, pair, text);
    if (!payload_is_intact(&run->payload, text, &named, &sequence) ||
        named != p->index) {
        load_run_fail(run, "a message of pair %u is not what was sent",
            (unsigned)p->index);
        return;
    }
    count(run, is_up ? &pair->up : &pair->down, sequence);
    if (!is_ping(run) || run->phase == LOAD_SETTING_UP)
        return;
    if (is_up) {
        send_burst(run, pair, DOWN, 1);
        return;
    }
    pair->is_asking = false;
    if (run->phase == LOAD_MEASURING)
        histogram_add(&run->latency_ns, clock_ns() - pair->asked_ns);
    if (run->options->rate == 0)
        ask(run, pair, clock_ns());
}

/* The window has moved: whoever sends to this peer goes on. */
static void on_round(struct peer_host *host, struct peer *p)
{
    struct load_run *run = load_run_of(host);

    if (run->options->mode == LOAD_FLOOD)
        pump(run, pair_of(run, p), p->role == PEER_BINARY ? UP : DOWN);
}

static void on_writable(struct peer_host *host, struct peer *p)
{
    struct load_run *run = load_run_of(host);

    if (run->options->mode == LOAD_FLOOD)
        pump(run, pair_of(run, p), p->role == PEER_PHONE ? UP : DOWN);
}

static void on_opened(struct peer_host *host, struct peer *p)
{
    struct load_run *run = load_run_of(host);

    if (p->index >= run->options->pairs) {
        load_run_fail(run, "a connection of a pair that is none of ours");
        return;
    }
    if (p->role == PEER_BINARY)
        run->pairs[p->index].binary = p;
    run->open++;
}

static void on_lost(struct peer_host *host, struct peer *p, const char *why)
{
    load_run_fail(load_run_of(host), "a %s was lost: %s",
        p->role == PEER_PHONE ? "phone" : "binary", why);
}

const struct peer_events load_traffic_events = {
    .opened = on_opened,
    .received = on_received,
    .round = on_round,
    .writable = on_writable,
    .lost = on_lost,
};

/* Who copies makes no envelope: ours stands in for it.  -1: no memory. */
static int make_up_prefix(struct pair *pair)
{
    static const char prefix[] =
        "{\"conn_id\":\"client-load-00000000-00000000\",\"frame\":";

    pair->prefix = malloc(sizeof(prefix) - 1);
    if (pair->prefix == NULL)
        return -1;
    memcpy(pair->prefix, prefix, sizeof(prefix) - 1);
    pair->prefix_len = sizeof(prefix) - 1;
    return 0;
}

void load_traffic_introduce(struct load_run *run)
{
    for (uint64_t i = 0; i < run->options->pairs; i++) {
        struct pair *pair = &run->pairs[i];

        if (run->options->form != LOAD_RELAY && make_up_prefix(pair) < 0) {
            load_run_fail(run, "out of memory");
            return;
        }
        send_burst(run, pair, UP, 1);
    }
}

bool load_traffic_is_introduced(const struct load_run *run)
{
    for (uint64_t i = 0; i < run->options->pairs; i++) {
        if (run->pairs[i].up.received == 0)
            return false;
    }
    return true;
}

void load_traffic_start(struct load_run *run)
{
    uint64_t now = clock_ns();

    run->next_due_ns = now;
    for (uint64_t i = 0; i < run->options->pairs; i++) {
        struct pair *pair = &run->pairs[i];

        if (!is_ping(run)) {
            pump(run, pair, UP);
            pump(run, pair, DOWN);
        } else if (run->options->rate == 0) {
            ask(run, pair, now);
        }
    }
}

uint64_t load_traffic_tick(struct load_run *run, uint64_t now_ns)
{
    uint64_t period = 0;

    if (!is_ping(run) || run->options->rate == 0 || run->phase == LOAD_DRAINING)
        return UINT64_MAX;
    period = CLOCK_NS_PER_SECOND / run->options->rate;
    while (run->next_due_ns <= now_ns) {
        struct pair *pair = &run->pairs[run->next_pair];

        /* an answer that is late counts from when it was due */
        if (!pair->is_asking)
            ask(run, pair, run->next_due_ns);
        run->next_pair = (run->next_pair + 1) % (uint32_t)run->options->pairs;
        run->next_due_ns += period;
    }
    return run->next_due_ns;
}

bool load_traffic_is_complete(const struct load_run *run)
{
    const struct load_options *o = run->options;
    bool up = is_ping(run) || (o->directions & LOAD_UP) != 0;
    bool down = is_ping(run) || (o->directions & LOAD_DOWN) != 0;

    if (o->messages == 0)
        return false;
    for (uint64_t i = 0; i < o->pairs; i++) {
        const struct pair *pair = &run->pairs[i];

        if ((up && pair->up.received < o->messages + 1) ||
            (down && pair->down.received < o->messages))
            return false;
    }
    return true;
}

bool load_traffic_is_drained(const struct load_run *run)
{
    for (uint64_t i = 0; i < run->options->pairs; i++) {
        const struct pair *pair = &run->pairs[i];

        if (pair->up.sent != pair->up.received ||
            pair->down.sent != pair->down.received)
            return false;
    }
    return true;
}
