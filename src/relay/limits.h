/*
 * limits: every bound of the relay, with its unit and its reason.  Values
 * that peers can observe are part of the contract in docs/protocol.md.
 */
#pragma once

enum {
    /* one inbound message, both legs, fragments included */
    LIMIT_MESSAGE_BYTES = 262144,
    /* phones of one server-id */
    LIMIT_PHONES = 16,
    /* the most that --max-phones-per-server takes: a frame's phone is found by
     * looking at each */
    LIMIT_PHONES_MAX = 256,
    /* how long a server-id outlives its binary */
    LIMIT_GRACE_MS = 30000,
    /* between pings, and how long each waits for its pong */
    LIMIT_HEARTBEAT_MS = 30000,
    LIMIT_PONG_MS = 30000,
    /* how long a binary that is challenged may take to answer a ping */
    LIMIT_PROBE_MS = 10000,
    /* who wait for that answer: the first wins, and the others only follow it
     * if it leaves */
    LIMIT_CHALLENGERS = 16,
    /* from a message's first frame header to its last byte: nobody may dribble
     * one message forever while answering pings */
    LIMIT_MESSAGE_MS = 30000,
    /* one outbound message: who does not read is dropped */
    LIMIT_WRITE_MS = 10000,
    /* queued for one phone, each item charged its length and the overhead */
    LIMIT_OUTBOX_BYTES = 4194304,
    LIMIT_OUTBOX_ITEM = 64,
    /* the same for all phones of a server-id: as much as 16 phones may have
     * alone */
    LIMIT_SERVER_OUTBOX_BYTES = 67108864,
    /* kept for all connections, where a quarter of memory is less */
    LIMIT_QUEUED_LEAST = 33554432,
    /* queued for one binary: above the first its phones are not read, below
     * the second they are again */
    LIMIT_UPLINK_HIGH = 262144,
    LIMIT_UPLINK_LOW = 65536,
    /* answers to pings queued for one peer: above it that peer is not read */
    LIMIT_CONTROL_BYTES = 4096,
    /* a request head: bytes, and time from accept to its last byte */
    LIMIT_HEAD_BYTES = 16384,
    LIMIT_HEAD_MS = 5000,
    /* a handshake that came before the first certificate: an order takes a few
     * seconds, and clients give up after ten to thirty */
    LIMIT_CERTIFICATE_MS = 10000,
    /* handshakes that go on in one round once it is there: about 5 ms */
    LIMIT_RESUMED = 16,
    /* for the peer's close frame after ours */
    LIMIT_CLOSE_MS = 5000,
    /* what a connection may keep that is being closed for what it kept */
    LIMIT_CLOSING_BYTES = 65536,
    /* for the peer's end of stream after our last byte */
    LIMIT_LINGER_MS = 1000,
    /* a worker that has not ticked for so long does not get on */
    LIMIT_WEDGED_MS = 3000,
    /* scrapes at the same time */
    LIMIT_SCRAPES = 64,
    /* connections of the listener of HTTP-01 challenges: a CA looks from a few
     * places at once, and is done in a moment */
    LIMIT_VALIDATIONS = 64,
    /* the whole drain */
    LIMIT_DRAIN_MS = 10000,
    /* over which a take-over spreads the closes */
    LIMIT_YIELD_SECONDS = 10,
    /* a take-over: until the other side says something that it need not
     * prepare; and from the offer to a process that is ready to serve */
    LIMIT_TAKE_OVER_ANSWER_MS = 5000,
    LIMIT_TAKE_OVER_READY_MS = 60000,
    /* header values that we keep: a server-id is a UUID in practice */
    LIMIT_SERVER_ID_BYTES = 256,
    LIMIT_DEVICE_NAME_BYTES = 256,
    /* what a log line shows of a device name or a version */
    LIMIT_LOG_VALUE_BYTES = 256,
    /* connections before their upgrade, or being closed */
    LIMIT_PENDING = 1024,
    /* connections before the end of their PROXY header and TLS handshake */
    LIMIT_HANDSHAKES = 1024,
    /* push wakes of one server-id: at once, and ms for one more; with that many
     * accounts, 64 bytes each, of which those are reused that say nothing */
    LIMIT_WAKE_BURST = 6,
    LIMIT_WAKE_INTERVAL_MS = 10000,
    LIMIT_WAKE_ACCOUNTS = 65536,
    /* push wakes under way; a power of two, since ids are made with it */
    LIMIT_WAKES = 32,
    /* push wakes of all server-ids in a second: a project of FCM may send 10,000
     * a second, and a relay that wakes a hundred is either large or abused */
    LIMIT_WAKES_PER_SECOND = 100,
    /* what a flag may ask for: more is a mistake */
    LIMIT_COUNT = 1073741824,
    LIMIT_THREADS = 64,
    /* descriptors that are not connections: log, listeners, reserve */
    LIMIT_SPARE_DESCRIPTORS = 64,
    /* of each worker: its loop, its doorbell, its listener, its reserve */
    LIMIT_WORKER_DESCRIPTORS = 8,
};
