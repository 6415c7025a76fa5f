/* Peers that read late or not at all, with TLS and without, on the stage: what
 * waits for them is sent as soon as it can be, is counted, and costs no time. */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "pem_text.h"
#include "relay/limits.h"
#include "stage.h"

enum { ENVELOPE_MAX = 70000, TEXT_LEN = 9000 };

static struct stage s;
static struct tls_identity *identity;
static struct tls_shared *shared;
static struct tls_server *server;

static enum tls_verdict on_hello(
    void *owner, const struct tls_hello *hello, const struct tls_identity **ret)
{
    (void)owner;
    (void)hello;
    *ret = identity;
    return TLS_SERVE;
}

static int set_up(void **state)
{
    struct pem_text text = pem_text_new("relay.example.com");
    struct tls_pem pem = pem_text_of(&text);
    struct tls_server_setup setup = {.hello = on_hello, .owner = &s};
    const char *err = NULL;

    (void)state;
    identity = tls_identity_new(&pem, TLS_USE_HTTP, &err);
    shared = tls_shared_new();
    assert_non_null(identity);
    assert_non_null(shared);
    setup.shared = shared;
    server = tls_server_new(&setup);
    assert_non_null(server);
    pem_text_free(&text);
    stage_open(&s, 1, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_close(&s);
    tls_server_free(server);
    tls_shared_free(shared);
    tls_identity_free(identity);
    return 0;
}

/* A binary and its phone, which may speak TLS to us. */
struct pair {
    int binary;
    int peer; /* the phone's end */
    struct conn *phone;
    SSL_CTX *ctx;
    SSL *ssl;
};

static struct worker *the_worker(void)
{
    return &s.relay.shards[0].worker;
}

static struct pair pair_open(void)
{
    struct pair p = {.binary = stage_binary(&s, "x")};

    p.peer = stage_phone(&s, "x");
    p.phone = s.relay.shards[0].live.first;
    while (p.phone != NULL && p.phone->role != CONN_PHONE)
        p.phone = p.phone->next;
    assert_non_null(p.phone);
    return p;
}

static void pair_speak_tls(struct pair *p)
{
    char name[] = "relay.example.com"; /* the macro takes no constant */
    int failed = -EAGAIN;

    p->ctx = SSL_CTX_new(TLS_client_method());
    p->ssl = SSL_new(p->ctx);
    assert_non_null(p->ssl);
    assert_int_equal(SSL_set_tlsext_host_name(p->ssl, name), 1);
    assert_int_equal(SSL_set_fd(p->ssl, p->peer), 1);
    assert_true(stream_start_tls(&p->phone->stream, server));
    for (int i = 0; i < 10 && failed != 0; i++) {
        (void)SSL_connect(p->ssl);
        failed = tls_session_handshake(p->phone->stream.tls);
    }
    assert_int_equal(failed, 0);
    (void)SSL_connect(p->ssl);
}

static void pair_close(struct pair *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    (void)close(p->peer);
    (void)close(p->binary);
    stage_run(&s);
}

/* The binary sends the phone a JSON text of that length; the bytes that the
 * phone gets for it. */
static size_t pair_send(struct pair *p, size_t len)
{
    static uint8_t frame[ENVELOPE_MAX + 8];
    char *body = (char *)frame + 8;
    size_t body_len = (size_t)snprintf(body, ENVELOPE_MAX,
        "{\"conn_id\":\"%.*s\",\"frame\":\"", (int)p->phone->name_len,
        p->phone->name);

    assert_true(body_len + len + 2 <= 65535);
    memset(body + body_len, 'x', len);
    body_len += len;
    body[body_len++] = '"';
    body[body_len++] = '}';
    frame[0] = 0x81;
    frame[1] = 0x80 | 126;
    frame[2] = (uint8_t)(body_len >> 8);
    frame[3] = (uint8_t)body_len;
    memset(frame + 4, 0, 4);
    assert_int_equal(
        send(p->binary, frame, body_len + 8, 0), (ssize_t)(body_len + 8));
    stage_run(&s);
    return len + 2 + 4;
}

static size_t pair_read_all(struct pair *p)
{
    static char bytes[16384];
    size_t got = 0;

    for (int i = 0; i < 200; i++) {
        int len = SSL_read(p->ssl, bytes, sizeof(bytes));

        if (len > 0) {
            got += (size_t)len;
        } else {
            stage_run(&s);
        }
    }
    return got;
}

/* Written at once, and yet the socket has not taken all of its record. */
static void the_end_of_a_record_is_not_forgotten(void **state)
{
    struct pair p = pair_open();
    size_t sent = 0;

    (void)state;
    pair_speak_tls(&p);
    do {
        sent += pair_send(&p, TEXT_LEN);
        assert_true(sent < 10000000);
    } while (stream_unsent(&p.phone->stream) == 0);
    assert_true(stream_wanted(&p.phone->stream) & STREAM_WRITE);
    assert_int_not_equal(p.phone->write_by, 0);
    assert_true(p.phone->memory >= stream_unsent(&p.phone->stream));
    assert_int_equal(pair_read_all(&p), sent);
    pair_close(&p);
}

/* One that reads nothing and makes TLS answer is not read any more either. */
static void answers_of_tls_that_cannot_be_sent_cost_no_time(void **state)
{
    static const uint8_t pong[] = {0x8a, 0x80, 0, 0, 0, 0};
    struct pair p = pair_open();
    int busy = 0;

    (void)state;
    pair_speak_tls(&p);
    while ((stream_wanted(&p.phone->stream) & STREAM_WRITE) == 0)
        (void)pair_send(&p, TEXT_LEN);
    for (int i = 0; i < 400 && !stream_is_flooded(&p.phone->stream); i++) {
        assert_int_equal(SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_true(SSL_write(p.ssl, pong, sizeof(pong)) > 0);
        stage_run(&s);
    }
    assert_true(stream_is_flooded(&p.phone->stream));
    assert_true(SSL_write(p.ssl, pong, sizeof(pong)) > 0);
    for (int i = 0; i < 100; i++) {
        struct epoll_event event;

        worker_run_once(the_worker());
        busy += epoll_wait(the_worker()->epoll, &event, 1, 0) > 0;
    }
    assert_in_range(busy, 0, 2);
    assert_false(stream_wanted(&p.phone->stream) & STREAM_READ);
    pair_close(&p);
}

/* It was long, and never became empty. */
static void a_queue_that_was_long_gives_its_memory_back(void **state)
{
    static char bytes[20000];
    struct pair p = pair_open();

    (void)state;
    while (p.phone->out.cost < 3900000)
        (void)pair_send(&p, 60000);
    assert_true(p.phone->out.cap > 3000000);
    while (p.phone->out.cost > 130000) {
        IGNORE(read(p.peer, bytes, sizeof(bytes)) < 0, "then there is more");
        stage_run(&s);
    }
    assert_true(p.phone->out.item_count > 0);
    assert_in_range(p.phone->out.cap, 1, 1000000);
    pair_close(&p);
}

/* More than a round takes have answered in time, and the process slept past the
 * deadline of all. */
static void answers_count_that_came_during_a_pause(void **state)
{
    enum { PHONES = 300, OF_ONE = 10 };
    static int phones[PHONES];
    char id[16] = "";

    (void)state;
    for (int i = 0; i < PHONES; i++) {
        if (i % OF_ONE == 0) {
            (void)snprintf(id, sizeof(id), "id%d", i);
            (void)stage_binary(&s, id);
        }
        phones[i] = stage_phone(&s, id);
    }
    stage_skip(&s, LIMIT_HEARTBEAT_MS + 200);
    for (int i = 0; i < PHONES; i++)
        stage_expect_ping(phones[i], STAGE_PONG);
    the_worker()->skipped_ms += LIMIT_PONG_MS + 1000;
    stage_run(&s);
    assert_int_equal(stage_count(&s, METRIC_HEARTBEAT_PHONE), 0);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

RUN_TESTS("slow_tls", ON_STAGE(the_end_of_a_record_is_not_forgotten),
    ON_STAGE(answers_of_tls_that_cannot_be_sent_cost_no_time),
    ON_STAGE(a_queue_that_was_long_gives_its_memory_back),
    ON_STAGE(answers_count_that_came_during_a_pause));
