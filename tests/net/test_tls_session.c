/* What a session does with a peer that wants more of it than data. */
#include "net/tls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "tls_pair.h"

enum {
    TURN = 65536,   /* what one read takes of the socket, and at most a */
    BUFFER = 20000, /* buffer of OpenSSL beyond it */
    IDLE_MAX = 32,  /* messages of TLS without data */
    UNSENT_MAX = 24000,
};

struct ends {
    struct tls_server *server;
    struct pair pair;
};

/* Nothing has been said yet. */
static void ends_open_unspoken(struct ends *e, struct stage *stage, int version)
{
    e->server = server_of(stage);
    pair_open(&e->pair, e->server, version, NULL);
}

static void ends_open(struct ends *e, struct stage *stage, int version)
{
    ends_open_unspoken(e, stage, version);
    assert_int_equal(shake_hands(&e->pair), 0);
}

static void ends_close(struct ends *e)
{
    pair_close(&e->pair);
    tls_server_free(e->server);
}

static ssize_t read_some(struct ends *e, void *to, size_t len)
{
    const struct iovec vec = {to, len};

    return tls_session_read(e->pair.server, &vec, 1);
}

static void renew_keys(struct ends *e, int kind)
{
    assert_int_equal(SSL_key_update(e->pair.client, kind), 1);
    assert_int_equal(SSL_do_handshake(e->pair.client), 1);
}

/* ---- how much a read takes ---- */

static void padding_counts_as_what_it_is(void **state)
{
    char got[16];
    size_t total = 0;
    size_t taken = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_3_VERSION);
    (void)tls_session_take_received(e.pair.server);
    assert_int_equal(SSL_set_block_padding(e.pair.client, 16384), 1);
    for (int i = 0; i < 8; i++)
        assert_int_equal(SSL_write(e.pair.client, "x", 1), 1);
    while (total < 8) {
        ssize_t part = read_some(&e, got, sizeof(got));
        size_t received = tls_session_take_received(e.pair.server);

        assert_true(part > 0);
        total += (size_t)part;
        taken += received;
        assert_true(received < TURN + BUFFER);
    }
    assert_true(taken > 8 * 16384);
    assert_int_equal(tls_session_take_received(e.pair.server), 0);
    ends_close(&e);
}

static void data_is_bounded_by_its_records_too(void **state)
{
    uint8_t *bytes = calloc(1, 128 * 1024);
    size_t total = 0;
    unsigned turns = 0;
    struct ends e;

    assert_non_null(bytes);
    ends_open(&e, *state, TLS1_3_VERSION);
    assert_int_equal(SSL_write(e.pair.client, bytes, 128 * 1024), 128 * 1024);
    while (total < 128 * 1024) {
        ssize_t part = read_some(&e, bytes, 128 * 1024);

        assert_true(part > 0 && part < TURN + BUFFER);
        total += (size_t)part;
        turns++;
    }
    assert_int_equal(turns, 2);
    assert_int_equal(read_some(&e, bytes, 1), -EAGAIN);
    assert_false(tls_session_has_more(e.pair.server));
    ends_close(&e);
    free(bytes);
}

/* ---- ends ---- */

/* OpenSSL has read the end along with the data: no event would tell of it. */
static void an_end_behind_full_buffers_is_not_lost(void **state)
{
    uint8_t buf[8];
    const struct iovec to[] = {{buf, 4}, {buf + 4, 4}};
    struct ends e;

    for (size_t len = 3; len <= 5; len++) {
        ends_open(&e, *state, TLS1_3_VERSION);
        assert_int_equal(SSL_write(e.pair.client, "abcde", (int)len), len);
        (void)SSL_shutdown(e.pair.client);
        assert_int_equal(tls_session_read(e.pair.server, to, 2), len);
        assert_true(tls_session_has_more(e.pair.server));
        assert_int_equal(tls_session_read(e.pair.server, to, 2), 0);
        assert_false(tls_session_has_more(e.pair.server));
        ends_close(&e);
    }
}

static void errors_of_others_are_none_of_ours(void **state)
{
    uint8_t byte = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_3_VERSION);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_int_equal(read_some(&e, &byte, 1), -EAGAIN);
    ends_close(&e);
}

/* ---- messages of TLS itself ---- */

static void keys_may_be_renewed_as_long_as_there_is_data(void **state)
{
    uint8_t byte = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_3_VERSION);
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < IDLE_MAX; n++)
            renew_keys(&e, SSL_KEY_UPDATE_NOT_REQUESTED);
        assert_int_equal(read_some(&e, &byte, 1), -EAGAIN);
        assert_int_equal(SSL_write(e.pair.client, "x", 1), 1);
        assert_int_equal(read_some(&e, &byte, 1), 1);
    }
    ends_close(&e);
}

static void a_turn_takes_few_of_them(void **state)
{
    char got[64];
    size_t total = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_3_VERSION);
    for (int i = 0; i < 10; i++) {
        for (int n = 0; n < IDLE_MAX / 2; n++)
            renew_keys(&e, SSL_KEY_UPDATE_NOT_REQUESTED);
        assert_int_equal(SSL_write(e.pair.client, "x", 1), 1);
    }
    while (total < 10) {
        ssize_t part = read_some(&e, got, sizeof(got));

        /* Two, and the one behind which the turn ends. */
        assert_true(part > 0 && part <= 3);
        total += (size_t)part;
        assert_int_equal(tls_session_has_more(e.pair.server), total < 10);
    }
    ends_close(&e);
}

static void who_does_nothing_but_renew_keys_is_refused(void **state)
{
    uint8_t byte = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_3_VERSION);
    for (int n = 0; n < IDLE_MAX + 1; n++)
        renew_keys(&e, SSL_KEY_UPDATE_NOT_REQUESTED);
    assert_int_equal(SSL_write(e.pair.client, "x", 1), 1);
    assert_int_equal(read_some(&e, &byte, 1), -EPROTO);
    assert_int_equal(read_some(&e, &byte, 1), -EPROTO);
    ends_close(&e);
}

/* It has answers sent to it for as long as the socket takes them, then a few
 * more are kept, and then it is not read. */
static void who_does_not_read_answers_is_not_read(void **state)
{
    uint8_t got[2048];
    size_t came = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_3_VERSION);
    while (!tls_session_is_flooded(e.pair.server)) {
        ssize_t part = 0;

        renew_keys(&e, SSL_KEY_UPDATE_REQUESTED);
        assert_int_equal(SSL_write(e.pair.client, "x", 1), 1);
        part = read_some(&e, got, sizeof(got));
        assert_true(part == 1 || part == -EAGAIN);
    }
    assert_int_equal(SSL_write(e.pair.client, "yz", 2), 2);
    assert_int_equal(read_some(&e, got, sizeof(got)), -EAGAIN);
    assert_true(tls_session_unsent(e.pair.server) < UNSENT_MAX);
    while (tls_session_flush(e.pair.server) != 0)
        assert_int_equal(SSL_read(e.pair.client, got, sizeof(got)), -1);
    assert_false(tls_session_is_flooded(e.pair.server));
    while (came == 0 || got[came - 1] != 'z') {
        ssize_t part = read_some(&e, got + came, sizeof(got) - came);

        assert_true(part > 0);
        came += (size_t)part;
    }
    ends_close(&e);
}

static void the_first_renegotiation_ends_it(void **state)
{
    uint8_t byte = 0;
    struct ends e;

    ends_open(&e, *state, TLS1_2_VERSION);
    assert_int_equal(SSL_renegotiate(e.pair.client), 1);
    (void)SSL_do_handshake(e.pair.client);
    assert_int_equal(read_some(&e, &byte, 1), -EPROTO);
    (void)SSL_do_handshake(e.pair.client);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    ends_close(&e);
}

/* ---- ClientHellos ---- */

static void pour(const struct ends *e, const char *bytes, size_t len)
{
    assert_int_equal(write(e->pair.fds[1], bytes, len), len);
}

static void drain(const struct ends *e)
{
    uint8_t bytes[256];
    ssize_t got = 1;

    while (got > 0)
        got = read(e->pair.fds[1], bytes, sizeof(bytes));
}

static void expect_refusal(struct ends *e)
{
    uint8_t alert[8];
    ssize_t len = 0;

    assert_int_equal(tls_session_handshake(e->pair.server), -EPROTO);
    assert_int_equal(tls_session_failure(e->pair.server), TLS_FAILURE_PROTOCOL);
    assert_string_equal(tls_session_failure_text(e->pair.server),
        "the ClientHello is too long");
    len = read(e->pair.fds[1], alert, sizeof(alert));
    assert_int_equal(len, 7);
    assert_memory_equal(alert, "\x15\3\3\0\2\2\x2f", 7);
}

/* The header of a ClientHello of 16,385 bytes. */
static void a_long_hello_is_refused_before_it_comes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\x16\3\1\x40\0\1\0\x40\1", 9},
        {"\x16\3\1\0\1\1\x16\3\1\0\1\0\x16\3\1\x40\0\x40\1", 19},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ends e;

        ends_open_unspoken(&e, *state, TLS1_3_VERSION);
        pour(&e, rows[i].bytes, rows[i].len - 1);
        assert_int_equal(tls_session_handshake(e.pair.server), -EAGAIN);
        pour(&e, rows[i].bytes + rows[i].len - 1, 1);
        expect_refusal(&e);
        ends_close(&e);
    }
}

static void what_a_hello_takes_is_told(void **state)
{
    struct ends e;

    ends_open_unspoken(&e, *state, TLS1_3_VERSION);
    assert_int_equal(tls_session_kept(e.pair.server), 0);
    pour(&e, "\x16\3\1\x40\0\1\0\x40\0\3\3", 11);
    assert_int_equal(tls_session_handshake(e.pair.server), -EAGAIN);
    assert_int_equal(tls_session_kept(e.pair.server), 16384);
    ends_close(&e);
    ends_open(&e, *state, TLS1_3_VERSION);
    assert_int_equal(tls_session_kept(e.pair.server), 0);
    ends_close(&e);
}

/* Its first key share is of a group that is not ours: it is asked again. */
static void the_second_hello_is_bounded_too(void **state)
{
    char groups[] = "P-521:P-384";
    struct ends e;

    ends_open_unspoken(&e, *state, TLS1_3_VERSION);
    assert_int_equal(SSL_set1_groups_list(e.pair.client, groups), 1);
    assert_int_equal(shake_hands(&e.pair), 0);
    ends_close(&e);

    ends_open_unspoken(&e, *state, TLS1_3_VERSION);
    assert_int_equal(SSL_set1_groups_list(e.pair.client, groups), 1);
    assert_int_equal(SSL_do_handshake(e.pair.client), -1);
    assert_int_equal(tls_session_handshake(e.pair.server), -EAGAIN);
    drain(&e);
    pour(&e, "\x14\3\3\0\1\1\x16\3\3\x40\0\1\1\0\0", 15);
    expect_refusal(&e);
    ends_close(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_counts_as_what_it_is),
        cmocka_unit_test(data_is_bounded_by_its_records_too),
        cmocka_unit_test(an_end_behind_full_buffers_is_not_lost),
        cmocka_unit_test(errors_of_others_are_none_of_ours),
        cmocka_unit_test(keys_may_be_renewed_as_long_as_there_is_data),
        cmocka_unit_test(a_turn_takes_few_of_them),
        cmocka_unit_test(who_does_nothing_but_renew_keys_is_refused),
        cmocka_unit_test(who_does_not_read_answers_is_not_read),
        cmocka_unit_test(the_first_renegotiation_ends_it),
        cmocka_unit_test(a_long_hello_is_refused_before_it_comes),
        cmocka_unit_test(what_a_hello_takes_is_told),
        cmocka_unit_test(the_second_hello_is_bounded_too),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
