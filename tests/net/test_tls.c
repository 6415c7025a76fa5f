#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "tls_pair.h"

static const uint8_t seed[TLS_TICKET_SEED_LEN] = {1, 2, 3};

/* ---- ticket keys ---- */

static void workers_agree_and_periods_differ(void **state)
{
    struct tls_ticket_keys a;
    struct tls_ticket_keys b;
    struct tls_ticket_key first;

    (void)state;
    assert_true(tls_ticket_init(&a, seed, 1000));
    assert_true(tls_ticket_init(&b, seed, 1000));
    first = a.current;
    assert_true(tls_ticket_advance(&a, 1000 + TLS_TICKET_PERIOD_MS - 1));
    assert_memory_equal(&a.current, &first, sizeof(first));
    assert_true(tls_ticket_advance(&a, 1000 + TLS_TICKET_PERIOD_MS));
    assert_memory_not_equal(&a.current, &first, sizeof(first));
    assert_memory_equal(&a.previous, &first, sizeof(first));
    assert_ptr_equal(tls_ticket_find(&a, first.name), &a.previous);
    assert_true(tls_ticket_advance(&a, 1000 + 3 * TLS_TICKET_PERIOD_MS));
    assert_null(tls_ticket_find(&a, first.name));
    /* Whoever was asleep comes to the same keys. */
    assert_true(tls_ticket_advance(&b, 1000 + 3 * TLS_TICKET_PERIOD_MS));
    assert_memory_equal(&a.current, &b.current, sizeof(a.current));
    assert_memory_equal(&a.previous, &b.previous, sizeof(a.previous));
    /* No way back. */
    assert_true(tls_ticket_advance(&b, 0));
    assert_memory_equal(&a.current, &b.current, sizeof(a.current));
}

static void keys_have_nothing_in_common(void **state)
{
    struct tls_ticket_keys keys;
    static const uint8_t other[TLS_TICKET_SEED_LEN] = {1, 2, 4};
    struct tls_ticket_keys others;

    (void)state;
    assert_true(tls_ticket_init(&keys, seed, 0));
    assert_true(tls_ticket_init(&others, other, 0));
    assert_memory_not_equal(
        keys.current.cipher, keys.current.mac, TLS_TICKET_MAC_LEN);
    assert_memory_not_equal(
        keys.current.cipher, keys.next_seed, TLS_TICKET_SEED_LEN);
    assert_memory_not_equal(&keys.current, &others.current, 16);
    tls_ticket_wipe(&keys);
    for (size_t i = 0; i < sizeof(keys); i++)
        assert_int_equal(((const uint8_t *)&keys)[i], 0);
}

/* ---- sessions ---- */

static bool resumes(
    struct tls_server *server, int version, SSL_SESSION *session)
{
    struct pair p;
    bool resumed = false;

    pair_open(&p, server, version, session);
    assert_int_equal(shake_hands(&p), 0);
    resumed = tls_session_is_resumed(p.server);
    assert_int_equal(SSL_session_reused(p.client), resumed);
    pair_close(&p);
    return resumed;
}

static void tickets_open_on_every_worker_until_their_keys_are_gone(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct stage *stage = *state;

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tls_server *a = server_of(stage);
        struct tls_server *b = server_of(stage);
        SSL_SESSION *session = NULL;
        struct pair p;

        pair_open(&p, a, versions[i], NULL);
        assert_int_equal(shake_hands(&p), 0);
        assert_false(tls_session_is_resumed(p.server));
        assert_int_equal(
            tls_session_is_tls13(p.server), versions[i] == TLS1_3_VERSION);
        session = resumable(&p);
        pair_close(&p);
        assert_true(resumes(a, versions[i], session));
        assert_true(resumes(b, versions[i], session));
        tls_server_set_time(b, TLS_TICKET_PERIOD_MS);
        assert_true(resumes(b, versions[i], session));
        tls_server_set_time(b, (uint64_t)2 * TLS_TICKET_PERIOD_MS);
        assert_false(resumes(b, versions[i], session));
        SSL_SESSION_free(session);
        tls_server_free(a);
        tls_server_free(b);
    }
}

static void who_is_not_served_sees_nothing(void **state)
{
    static const struct {
        enum tls_verdict verdict;
        enum tls_failure failure;
    } cases[] = {
        {TLS_UNKNOWN_NAME, TLS_FAILURE_NAME},
        {TLS_NOT_READY, TLS_FAILURE_NOT_READY},
    };
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pair p;

        stage->verdict = cases[i].verdict;
        pair_open(&p, server, TLS1_3_VERSION, NULL);
        assert_int_equal(shake_hands(&p), -EPROTO);
        assert_int_equal(tls_session_failure(p.server), cases[i].failure);
        assert_true(strlen(tls_session_failure_text(p.server)) > 0);
        assert_true(stage->name_len > strlen("relay.example.com"));
        assert_null(SSL_get0_peer_certificate(p.client));
        pair_close(&p);
    }
    stage->verdict = TLS_SERVE;
    tls_server_free(server);
}

static void a_handshake_waits_for_a_certificate(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct pair p;

        stage->verdict = TLS_AWAIT;
        pair_open(&p, server, versions[i], NULL);
        assert_int_equal(shake_hands(&p), -EINPROGRESS);
        assert_int_equal(tls_session_handshake(p.server), -EINPROGRESS);
        assert_int_equal(tls_session_failure(p.server), TLS_FAILURE_NONE);
        stage->verdict = TLS_SERVE;
        assert_int_equal(shake_hands(&p), 0);
        pair_close(&p);

        stage->verdict = TLS_AWAIT;
        pair_open(&p, server, versions[i], NULL);
        assert_int_equal(shake_hands(&p), -EINPROGRESS);
        tls_session_stop_waiting(p.server);
        assert_int_equal(tls_session_handshake(p.server), -EPROTO);
        assert_int_equal(tls_session_failure(p.server), TLS_FAILURE_NOT_READY);
        pair_close(&p);
    }
    stage->verdict = TLS_SERVE;
    tls_server_free(server);
}

/* Whatever the client prefers. */
static void the_suite_is_our_choice(void **state)
{
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);
    struct pair p;

    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(SSL_set_ciphersuites(p.client,
                         "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"),
        1);
    assert_int_equal(shake_hands(&p), 0);
    assert_string_equal(SSL_get_cipher(p.client), "TLS_AES_128_GCM_SHA256");
    pair_close(&p);
    tls_server_free(server);
}

static void offer(struct pair *p, const char *protocols)
{
    assert_int_equal(SSL_set_alpn_protos(p->client, (const uint8_t *)protocols,
                         (unsigned)strlen(protocols)),
        0);
}

static void a_challenge_is_no_way_into_a_session(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct stage *stage = *state;
    struct tls_identity *http = stage->identity;
    struct pem_text text = make_certificate("relay.example.com", 30);
    const char *err = NULL;
    struct tls_identity *challenge =
        identity_of(&text, TLS_USE_CHALLENGE, &err);

    assert_non_null(challenge);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tls_server *server = server_of(stage);
        SSL_SESSION *session = NULL;
        struct pair p;

        stage->identity = challenge;
        pair_open(&p, server, versions[i], NULL);
        offer(&p, "\x0a"
                  "acme-tls/1");
        assert_int_equal(shake_hands(&p), 0);
        assert_true(tls_session_is_challenge(p.server));
        session = resumable(&p);
        pair_close(&p);
        stage->identity = http;
        assert_false(resumes(server, versions[i], session));
        SSL_SESSION_free(session);
        /* Nor the other way round. */
        pair_open(&p, server, versions[i], NULL);
        assert_int_equal(shake_hands(&p), 0);
        session = resumable(&p);
        pair_close(&p);
        assert_true(resumes(server, versions[i], session));
        stage->identity = challenge;
        assert_false(resumes(server, versions[i], session));
        stage->identity = http;
        SSL_SESSION_free(session);
        tls_server_free(server);
    }
    tls_identity_free(challenge);
    pem_free(&text);
}

/* Errors of other libraries have the same numbers. */
static void the_reason_is_of_tls(void **state)
{
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);
    struct pair p;

    stage->raises = ERR_PACK(ERR_LIB_EC, 0, SSL_R_NO_SUITABLE_KEY_SHARE);
    pair_open(&p, server, TLS1_3_VERSION, NULL);
    offer(&p, "\x02h2");
    assert_int_equal(shake_hands(&p), -EPROTO);
    assert_int_equal(tls_session_failure(p.server), TLS_FAILURE_ALPN);
    stage->raises = 0;
    pair_close(&p);
    tls_server_free(server);
}

static void the_session_outlives_its_server_and_its_certificate(void **state)
{
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);
    struct pem_text text = make_certificate("relay.example.com", 30);
    const char *err = NULL;
    char byte = 0;
    struct pair p;

    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(shake_hands(&p), 0);
    tls_identity_free(stage->identity);
    stage->identity = identity_of(&text, TLS_USE_HTTP, &err);
    assert_non_null(stage->identity);
    tls_server_free(server);
    assert_int_equal(tls_session_write(p.server, "x", 1), 1);
    assert_int_equal(SSL_read(p.client, &byte, 1), 1);
    pair_close(&p);
    pem_free(&text);
}

/* ---- bytes ---- */

static void a_write_that_the_socket_does_not_take_is_kept(void **state)
{
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);
    uint8_t *out = calloc(1, 1 << 20);
    uint8_t *in = calloc(1, 1 << 20);
    size_t sent = 0;
    size_t got = 0;
    struct pair p;

    assert_non_null(out);
    assert_non_null(in);
    for (size_t i = 0; i < 1 << 20; i++)
        out[i] = (uint8_t)(i * 7 + (i >> 9));
    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(shake_hands(&p), 0);
    while (sent < 1 << 20 || tls_session_unsent(p.server) > 0) {
        int flushed = tls_session_flush(p.server);
        ssize_t put = flushed == 0 ? tls_session_write(
                                         p.server, out + sent, (1 << 20) - sent)
                                   : flushed;
        int part = SSL_read(p.client, in + got, (1 << 20) - (int)got);

        if (put > 0)
            sent += (size_t)put;
        else
            assert_int_equal(put, sent == 1 << 20 ? 0 : -EAGAIN);
        if (part > 0)
            got += (size_t)part;
        /* At most a record waits here, and nothing is taken behind it. */
        assert_true(tls_session_unsent(p.server) < 17000);
        if (tls_session_unsent(p.server) > 0)
            assert_int_equal(tls_session_write(p.server, "x", 1), -EAGAIN);
    }
    while (got < 1 << 20) {
        int part = SSL_read(p.client, in + got, (1 << 20) - (int)got);

        assert_true(part > 0);
        got += (size_t)part;
    }
    assert_memory_equal(in, out, 1 << 20);
    pair_close(&p);
    tls_server_free(server);
    free(out);
    free(in);
}

static void what_was_read_ahead_is_said(void **state)
{
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);
    uint8_t buf[4];
    struct iovec to[] = {{buf, 1}, {buf + 1, 1}};
    struct pair p;

    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(shake_hands(&p), 0);
    assert_int_equal(tls_session_read(p.server, to, 2), -EAGAIN);
    assert_false(tls_session_has_more(p.server));
    assert_int_equal(SSL_write(p.client, "abc", 3), 3);
    assert_int_equal(SSL_write(p.client, "de", 2), 2);
    assert_int_equal(tls_session_read(p.server, to, 2), 2);
    assert_memory_equal(buf, "ab", 2);
    assert_true(tls_session_has_more(p.server));
    assert_int_equal(tls_session_read(p.server, to, 2), 2);
    assert_memory_equal(buf, "cd", 2);
    assert_true(tls_session_has_more(p.server));
    assert_int_equal(tls_session_read(p.server, to, 2), 1);
    assert_int_equal(buf[0], 'e');
    assert_false(tls_session_has_more(p.server));
    pair_close(&p);
    tls_server_free(server);
}

static void ends_are_told_apart(void **state)
{
    struct stage *stage = *state;
    struct tls_server *server = server_of(stage);
    uint8_t buf[4];
    struct iovec to = {buf, sizeof(buf)};
    struct pair p;

    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(shake_hands(&p), 0);
    assert_int_equal(SSL_write(p.client, "x", 1), 1);
    (void)SSL_shutdown(p.client);
    assert_int_equal(tls_session_read(p.server, &to, 1), 1);
    assert_int_equal(tls_session_read(p.server, &to, 1), 0);
    tls_session_end(p.server);
    assert_int_equal(SSL_shutdown(p.client), 1); /* close_notify came */
    pair_close(&p);

    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(shake_hands(&p), 0);
    assert_int_equal(shutdown(p.fds[1], SHUT_WR), 0);
    assert_int_equal(tls_session_read(p.server, &to, 1), 0);
    pair_close(&p);

    pair_open(&p, server, TLS1_3_VERSION, NULL);
    assert_int_equal(shake_hands(&p), 0);
    assert_int_equal(
        write(p.fds[1], "\x17\x03\x03\x00\x11xxxxxxxxxxxxxxxxx", 22), 22);
    assert_int_equal(tls_session_read(p.server, &to, 1), -EPROTO);
    pair_close(&p);
    tls_server_free(server);
}

/* ---- certificates ---- */

static void what_cannot_be_served_is_refused_with_a_reason(void **state)
{
    struct pem_text good = make_certificate("relay.example.com", 30);
    struct pem_text other = make_certificate("relay.example.com", 30);
    char *cut = strdup(good.chain);
    char *doubled = calloc(1, 2 * strlen(good.chain) + 1);
    const struct {
        const char *key;
        const char *chain;
        bool served;
    } cases[] = {
        {good.key, good.chain, true},
        {good.key, doubled, false}, /* its second block is cut */
        {good.key, other.chain, false},
        {other.key, good.chain, false},
        {good.key, cut, false},
        {good.key, "", false},
        {"", good.chain, false},
        {"garbage", good.chain, false},
        {good.key, "garbage", false},
        {good.chain, good.chain, false},
        {good.key, good.key, false},
    };

    (void)state;
    assert_non_null(cut);
    assert_non_null(doubled);
    cut[strlen(cut) / 2] = '\0';
    (void)snprintf(
        doubled, 2 * strlen(good.chain) + 1, "%s%s", good.chain, cut);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *err = NULL;
        struct tls_identity *identity =
            tls_identity_new(&(struct tls_pem){.key = span_str(cases[i].key),
                                 .chain = span_str(cases[i].chain)},
                TLS_USE_HTTP, &err);

        assert_int_equal(identity != NULL, cases[i].served);
        assert_int_equal(err == NULL, cases[i].served);
        tls_identity_free(identity);
    }
    free(cut);
    free(doubled);
    pem_free(&good);
    pem_free(&other);
}

static void whom_and_how_long_it_is_for(void **state)
{
    struct pem_text text = make_certificate("relay.example.com", 30);
    const char *err = NULL;
    struct tls_identity *identity = identity_of(&text, TLS_USE_HTTP, &err);
    int64_t left_s = 0;

    (void)state;
    assert_non_null(identity);
    assert_true(tls_identity_is_for(identity, "relay.example.com"));
    assert_true(tls_identity_is_for(identity, "RELAY.example.com"));
    assert_false(tls_identity_is_for(identity, "example.com"));
    assert_false(tls_identity_is_for(identity, "x.relay.example.com"));
    left_s = tls_identity_expires_s(identity) - time(NULL);
    assert_true(left_s > 29 * 86400 && left_s <= 30 * 86400);
    tls_identity_free(identity);
    pem_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_agree_and_periods_differ),
        cmocka_unit_test(keys_have_nothing_in_common),
        cmocka_unit_test(
            tickets_open_on_every_worker_until_their_keys_are_gone),
        cmocka_unit_test(who_is_not_served_sees_nothing),
        cmocka_unit_test(a_handshake_waits_for_a_certificate),
        cmocka_unit_test(the_suite_is_our_choice),
        cmocka_unit_test(a_challenge_is_no_way_into_a_session),
        cmocka_unit_test(the_reason_is_of_tls),
        cmocka_unit_test(the_session_outlives_its_server_and_its_certificate),
        cmocka_unit_test(a_write_that_the_socket_does_not_take_is_kept),
        cmocka_unit_test(what_was_read_ahead_is_said),
        cmocka_unit_test(ends_are_told_apart),
        cmocka_unit_test(what_cannot_be_served_is_refused_with_a_reason),
        cmocka_unit_test(whom_and_how_long_it_is_for),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
