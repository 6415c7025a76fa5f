#include "stage.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/ws_frame.h"
#include "wire/ws_message.h"

#include "cmocka_all.h"

enum { ROUNDS = 8 }; /* of every worker: a hand-over takes three */

void stage_open(struct stage *s, int threads, const char *const *more)
{
    char count[32];
    char *argv[16] = {(char *)(uintptr_t) "relay",
        (char *)(uintptr_t) "--insecure-listen=127.0.0.1:1",
        (char *)(uintptr_t) "--metrics-listen=",
        (char *)(uintptr_t) "--upgrade-burst=0", count};
    int argc = 5;

    (void)snprintf(count, sizeof(count), "--threads=%d", threads);
    while (more != NULL && *more != NULL)
        argv[argc++] = (char *)(uintptr_t)*more++;
    assert_int_equal(config_parse(&s->config, argc, argv, stderr), CONFIG_RUN);
    assert_int_equal(s->config.problem_count, 0);
    assert_int_equal(relay_init(&s->relay, &s->config), 0);
}

void stage_close(struct stage *s)
{
    relay_done(&s->relay);
    /* Whatever happened: nothing is counted any more. */
    assert_int_equal(budget_taken(&s->relay.live), 0);
    assert_int_equal(budget_taken(&s->relay.binaries), 0);
    assert_int_equal(budget_taken(&s->relay.phones), 0);
    assert_int_equal(budget_taken(&s->relay.pending), 0);
    assert_int_equal(budget_taken(&s->relay.memory), 0);
}

void stage_run_shard(struct stage *s, size_t shard)
{
    worker_run_once(&s->relay.shards[shard].worker);
}

void stage_run_control(struct stage *s)
{
    worker_run_once(&s->relay.control.worker);
}

void stage_run(struct stage *s)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < s->relay.shard_count; i++)
            stage_run_shard(s, i);
    }
}

void stage_skip(struct stage *s, uint64_t ms)
{
    for (size_t i = 0; i < s->relay.shard_count; i++)
        worker_skip_time(&s->relay.shards[i].worker, ms);
    stage_run(s);
}

int stage_connect(
    struct stage *s, size_t shard, const char *path, const char *server_id)
{
    struct sockaddr_storage from = {.ss_family = AF_INET};
    char head[512];
    int len = snprintf(head, sizeof(head),
        "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: t\r\n"
        "X-Pyrycode-Server: %s\r\nX-Pyrycode-Version: 1\r\n"
        "X-Pyrycode-Token: t\r\n\r\n",
        path, server_id);
    int ends[2];

    ((struct sockaddr_in *)&from)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(socketpair(AF_UNIX,
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
        0);
    assert_int_equal(write(ends[1], head, (size_t)len), len);
    shard_accept(&s->relay.shards[shard], ends[0], &from);
    return ends[1];
}

static int connect_and_upgrade(
    struct stage *s, const char *path, const char *server_id)
{
    int peer = stage_connect(s, 0, path, server_id);
    char answer[256];
    ssize_t got = 0;
    size_t len = 0;

    stage_run(s);
    /* The head alone: frames may follow it at once. */
    while (len < sizeof(answer) - 1) {
        got = read(peer, answer + len, 1);
        assert_int_equal(got, 1);
        answer[++len] = '\0';
        if (strstr(answer, "\r\n\r\n") != NULL)
            break;
    }
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    return peer;
}

int stage_binary(struct stage *s, const char *server_id)
{
    return connect_and_upgrade(s, "/v1/server", server_id);
}

int stage_phone(struct stage *s, const char *server_id)
{
    return connect_and_upgrade(s, "/v1/client", server_id);
}

/* ---- frames ---- */

void stage_send(int peer, enum ws_opcode opcode, struct span payload)
{
    uint8_t frame[600] = {(uint8_t)(0x80 | opcode)};
    size_t at = 2;

    assert_true(payload.len < 500);
    if (payload.len < 126) {
        frame[1] = (uint8_t)(0x80 | payload.len);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(payload.len >> 8);
        frame[3] = (uint8_t)(payload.len & 0xff);
        at = 4;
    }
    at += 4; /* a mask of zeros */
    if (payload.len > 0)
        memcpy(frame + at, payload.ptr, payload.len);
    assert_int_equal(
        write(peer, frame, at + payload.len), (ssize_t)(at + payload.len));
}

void stage_send_text(int peer, const char *text)
{
    stage_send(peer, WS_TEXT, span_str(text));
}

void stage_send_close(int peer, uint16_t code)
{
    const uint8_t payload[] = {(uint8_t)(code >> 8), (uint8_t)(code & 0xff)};

    stage_send(peer, WS_CLOSE, span_of(payload, sizeof(payload)));
}

bool stage_recv(int peer, struct stage_frame *ret)
{
    uint8_t head[4];

    if (read(peer, head, 2) != 2)
        return false;
    ret->opcode = (enum ws_opcode)(head[0] & 0xf);
    ret->len = head[1];
    if (ret->len == 126) {
        assert_int_equal(read(peer, head, 2), 2);
        ret->len = (size_t)head[0] << 8 | head[1];
    }
    assert_true(ret->len < sizeof(ret->payload));
    assert_int_equal(read(peer, ret->payload, ret->len), (ssize_t)ret->len);
    ret->payload[ret->len] = '\0';
    return true;
}

void stage_expect_text(int peer, const char *text)
{
    struct stage_frame frame;

    assert_true(stage_recv(peer, &frame));
    assert_int_equal(frame.opcode, WS_TEXT);
    assert_string_equal((const char *)frame.payload, text);
}

void stage_expect_close(int peer, uint16_t code, const char *reason)
{
    struct stage_frame frame = {.opcode = WS_PING};

    while (frame.opcode == WS_PING)
        assert_true(stage_recv(peer, &frame));
    assert_int_equal(frame.opcode, WS_CLOSE);
    assert_true(frame.len >= 2);
    assert_int_equal(frame.payload[0] << 8 | frame.payload[1], code);
    assert_string_equal((const char *)frame.payload + 2, reason);
}

void stage_expect_nothing(int peer)
{
    struct stage_frame frame;

    while (stage_recv(peer, &frame))
        assert_int_equal(frame.opcode, WS_PING);
}

void stage_expect_ping(int peer, enum stage_answer answer)
{
    struct stage_frame frame;

    assert_true(stage_recv(peer, &frame));
    assert_int_equal(frame.opcode, WS_PING);
    if (answer == STAGE_PONG)
        stage_send(peer, WS_PONG, span_of(frame.payload, frame.len));
}

uint64_t stage_count(const struct stage *s, enum metric which)
{
    uint64_t count = 0;

    for (size_t i = 0; i < s->relay.shard_count; i++)
        count += s->relay.shards[i].metrics.values[which];
    return count;
}
