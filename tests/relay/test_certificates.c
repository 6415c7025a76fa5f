/* What each shard shows, before its worker runs and while it does. */
#include "relay/certificates.h"

#include <stdio.h>

#include "relay/relay.h"

#include "pem_text.h"

#include "cmocka_all.h"

enum { SHARDS = 3 };

static struct config config;
static struct relay relay;

#define ECDSA LIT("\x00\x02\x04\x03")
#define RSA   LIT("\x00\x02\x08\x04")

static const struct tls_identity *shown; /* by the last judgement */
static struct span schemes;              /* that the next hello has */

static int set_up(void **state)
{
    static char words[4][64];
    char *argv[] = {words[0], words[0], words[1], words[2], NULL};

    (void)state;
    (void)snprintf(words[0], sizeof(words[0]), "--domain=relay.example.com");
    (void)snprintf(words[1], sizeof(words[1]), "--metrics-listen=");
    (void)snprintf(words[2], sizeof(words[2]), "--threads=%d", SHARDS);
    schemes = ECDSA;
    assert_int_equal(config_parse(&config, 4, argv, stderr), CONFIG_RUN);
    assert_int_equal(config.problem_count, 0);
    return relay_init(&relay, &config);
}

static int tear_down(void **state)
{
    (void)state;
    relay_done(&relay);
    return 0;
}

static enum tls_verdict judge(
    struct shard *shard, struct span name, struct span alpn)
{
    shown = NULL;
    return certificates_judge(shard,
        &(struct tls_hello){.server_name = name,
            .alpn = alpn,
            .signature_algorithms = schemes,
            .suites = LIT("\x13\x01")},
        &shown);
}

#define OURS     LIT("\x00\x14\x00\x00\x11relay.example.com")
#define CAPITALS LIT("\x00\x14\x00\x00\x11RELAY.example.com")
#define ANOTHERS LIT("\x00\x14\x00\x00\x11relax.example.com")
#define LONGER   LIT("\x00\x15\x00\x00\x12relay.example.comm")
#define NONE     LIT("")
#define HTTP     LIT("\x00\x09\x08http/1.1")
#define CHALLENGE                                                              \
    LIT("\x00\x0b\x0a"                                                         \
        "acme-tls/1")

static void who_is_shown_what(void **state)
{
    struct pem_text text = pem_text_new("relay.example.com");
    struct tls_pem pem = pem_text_of(&text);
    struct shard *shard = &relay.shards[0];

    (void)state;
    assert_int_equal(judge(shard, OURS, HTTP), TLS_NOT_READY);
    assert_int_equal(judge(shard, ANOTHERS, HTTP), TLS_UNKNOWN_NAME);
    assert_true(relay_install_certificate(&relay, &pem));
    assert_true(relay.certificate_expires_s > 0);
    for (size_t i = 0; i < SHARDS; i++) {
        shard = &relay.shards[i];
        assert_int_equal(judge(shard, OURS, HTTP), TLS_SERVE);
        assert_ptr_equal(shown, shard->identities[TLS_USE_HTTP]);
        assert_int_equal(judge(shard, CAPITALS, NONE), TLS_SERVE);
        assert_int_equal(judge(shard, ANOTHERS, HTTP), TLS_UNKNOWN_NAME);
        assert_int_equal(judge(shard, LONGER, HTTP), TLS_UNKNOWN_NAME);
        assert_int_equal(judge(shard, NONE, HTTP), TLS_UNKNOWN_NAME);
        /* No challenge is there: the protocol is not ours. */
        assert_int_equal(judge(shard, OURS, CHALLENGE), TLS_SERVE);
        assert_ptr_equal(shown, shard->identities[TLS_USE_HTTP]);
    }
    pem_text_free(&text);
}

static void note(void *ctx)
{
    ++*(int *)ctx;
}

static void deliver_all(void)
{
    for (size_t i = 0; i < SHARDS; i++)
        mailbox_deliver(&relay.shards[i].mailbox);
    mailbox_deliver(&relay.control.mailbox);
}

static void a_challenge_is_shown_by_all_before_it_is_said(void **state)
{
    struct pem_text text = pem_text_new("relay.example.com");
    struct tls_pem pem = pem_text_of(&text);
    int said = 0;

    (void)state;
    relay.serving = true;
    assert_true(relay_present_tls(&relay, &pem, note, &said));
    assert_int_equal(said, 0);
    assert_int_equal(judge(&relay.shards[0], OURS, CHALLENGE), TLS_NOT_READY);
    for (size_t i = 0; i < SHARDS - 1; i++)
        mailbox_deliver(&relay.shards[i].mailbox);
    mailbox_deliver(&relay.control.mailbox);
    assert_int_equal(said, 0); /* one does not show it yet */
    deliver_all();
    assert_int_equal(said, 1);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &relay.shards[i];

        assert_int_equal(judge(shard, OURS, CHALLENGE), TLS_SERVE);
        assert_ptr_equal(shown, shard->identities[TLS_USE_CHALLENGE]);
        assert_int_equal(judge(shard, ANOTHERS, CHALLENGE), TLS_UNKNOWN_NAME);
        /* It is not for clients. */
        assert_int_equal(judge(shard, OURS, HTTP), TLS_NOT_READY);
    }
    relay_withdraw_tls(&relay);
    deliver_all();
    for (size_t i = 0; i < SHARDS; i++)
        assert_int_equal(
            judge(&relay.shards[i], OURS, CHALLENGE), TLS_NOT_READY);
    pem_text_free(&text);
}

static void who_takes_no_ecdsa_is_shown_the_other(void **state)
{
    struct pem_text text = pem_text_new("relay.example.com");
    struct tls_pem pem = pem_text_of(&text);
    struct shard *shard = &relay.shards[SHARDS - 1];

    (void)state;
    assert_true(relay_install_rsa(&relay, &pem));
    assert_int_equal(relay.certificate_expires_s, 0);
    assert_int_equal(
        judge(shard, OURS, HTTP), TLS_SERVE); /* better than none */
    assert_ptr_equal(shown, shard->identities[TLS_USE_RSA]);
    assert_true(relay_install_certificate(&relay, &pem));
    assert_int_equal(judge(shard, OURS, HTTP), TLS_SERVE);
    assert_ptr_equal(shown, shard->identities[TLS_USE_HTTP]);
    schemes = RSA;
    assert_int_equal(judge(shard, OURS, HTTP), TLS_SERVE);
    assert_ptr_equal(shown, shard->identities[TLS_USE_RSA]);
    assert_int_equal(judge(shard, ANOTHERS, HTTP), TLS_UNKNOWN_NAME);
    pem_text_free(&text);
}

static void where_one_may_come_clients_wait_and_challenges_do_not(void **state)
{
    struct pem_text text = pem_text_new("relay.example.com");
    struct tls_pem pem = pem_text_of(&text);

    (void)state;
    relay.awaiting = true;
    assert_int_equal(judge(&relay.shards[0], OURS, HTTP), TLS_AWAIT);
    assert_int_equal(judge(&relay.shards[0], OURS, NONE), TLS_AWAIT);
    assert_int_equal(judge(&relay.shards[0], OURS, CHALLENGE), TLS_NOT_READY);
    assert_int_equal(judge(&relay.shards[0], ANOTHERS, HTTP), TLS_UNKNOWN_NAME);
    assert_true(relay_install_certificate(&relay, &pem));
    assert_int_equal(judge(&relay.shards[0], OURS, HTTP), TLS_SERVE);
    pem_text_free(&text);
}

static uint64_t installed(void)
{
    return relay_sum(&relay)->values[METRIC_CERTIFICATE_INSTALLED];
}

static void a_new_one_replaces_the_old_one_on_each_worker(void **state)
{
    struct pem_text text = pem_text_new("relay.example.com");
    struct tls_pem pem = pem_text_of(&text);
    const struct tls_identity *old[SHARDS];

    (void)state;
    assert_true(relay_install_certificate(&relay, &pem));
    for (size_t i = 0; i < SHARDS; i++)
        old[i] = relay.shards[i].identities[TLS_USE_HTTP];
    relay.serving = true;
    assert_true(relay_install_certificate(&relay, &pem));
    for (size_t i = 0; i < SHARDS; i++)
        assert_ptr_equal(relay.shards[i].identities[TLS_USE_HTTP], old[i]);
    mailbox_deliver(&relay.shards[1].mailbox);
    assert_ptr_equal(relay.shards[0].identities[TLS_USE_HTTP], old[0]);
    assert_ptr_not_equal(relay.shards[1].identities[TLS_USE_HTTP], old[1]);
    mailbox_deliver(&relay.control.mailbox);
    assert_int_equal(installed(), 1); /* the first; two do not show it yet */
    deliver_all();
    assert_int_equal(installed(), 2);
    assert_true(relay_install_certificate(&relay, &pem));
    /* What is still on its way when the relay ends is freed with it. */
    pem_text_free(&text);
}

static void what_does_not_do_changes_nothing(void **state)
{
    struct pem_text good = pem_text_new("relay.example.com");
    struct pem_text other = pem_text_new("other.example.com");
    struct tls_pem pem = pem_text_of(&good);
    const struct tls_pem bad[] = {
        pem_text_of(&other),
        {.key = pem.key, .chain = span_str(other.chain)},
        {.key = span_str("garbage"), .chain = pem.chain},
        {.key = pem.key, .chain = span_str("")},
    };
    const struct tls_identity *before = NULL;
    int said = 0;

    (void)state;
    assert_true(relay_install_certificate(&relay, &pem));
    before = relay.shards[0].identities[TLS_USE_HTTP];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(relay_install_certificate(&relay, &bad[i]));
        assert_false(relay_present_tls(&relay, &bad[i], note, &said));
        assert_ptr_equal(relay.shards[0].identities[TLS_USE_HTTP], before);
        assert_null(relay.shards[0].identities[TLS_USE_CHALLENGE]);
    }
    assert_int_equal(said, 0);
    pem_text_free(&good);
    pem_text_free(&other);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("certificates", CASE(who_is_shown_what),
    CASE(a_challenge_is_shown_by_all_before_it_is_said),
    CASE(who_takes_no_ecdsa_is_shown_the_other),
    CASE(where_one_may_come_clients_wait_and_challenges_do_not),
    CASE(a_new_one_replaces_the_old_one_on_each_worker),
    CASE(what_does_not_do_changes_nothing));
