#include "tls_pair.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_all.h"

static const uint8_t seed[TLS_TICKET_SEED_LEN] = {1, 2, 3};

static char *text_of(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *copy = calloc(1, (size_t)len + 1);

    assert_non_null(copy);
    memcpy(copy, data, (size_t)len);
    BIO_free(bio);
    return copy;
}

struct pem_text make_certificate(const char *name, long days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *key_out = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    char alt[128];
    X509_EXTENSION *san = NULL;

    assert_true(X509_set_version(x, 2) == 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), days * 86400));
    assert_true(X509_set_pubkey(x, key) == 1);
    (void)snprintf(alt, sizeof(alt), "DNS:%s", name);
    san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
    assert_true(X509_add_ext(x, san, -1) == 1);
    X509_EXTENSION_free(san);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_true(
        PEM_write_bio_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL) == 1);
    assert_true(PEM_write_bio_X509(out, x) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return (struct pem_text){text_of(key_out), text_of(out)};
}

void pem_free(struct pem_text *text)
{
    free(text->key);
    free(text->chain);
}

struct tls_identity *identity_of(
    const struct pem_text *text, enum tls_use use, const char **ret_err)
{
    return tls_identity_new(&(struct tls_pem){.key = span_str(text->key),
                                .chain = span_str(text->chain)},
        use, ret_err);
}

static enum tls_verdict on_hello(
    void *owner, const struct tls_hello *hello, const struct tls_identity **ret)
{
    struct stage *stage = owner;

    stage->name_len = hello->server_name.len;
    if (stage->raises != 0)
        ERR_raise(ERR_GET_LIB(stage->raises), ERR_GET_REASON(stage->raises));
    *ret = stage->identity;
    return stage->verdict;
}

struct tls_server *server_of(struct stage *stage)
{
    struct tls_server_setup setup = {
        .shared = stage->shared, .hello = on_hello, .owner = stage};
    struct tls_server *server = NULL;

    memcpy(setup.ticket_seed, seed, sizeof(seed));
    server = tls_server_new(&setup);
    assert_non_null(server);
    return server;
}

int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct pem_text text = make_certificate("relay.example.com", 30);
    const char *err = NULL;

    assert_non_null(stage);
    stage->shared = tls_shared_new();
    assert_non_null(stage->shared);
    stage->identity = identity_of(&text, TLS_USE_HTTP, &err);
    assert_non_null(stage->identity);
    stage->verdict = TLS_SERVE;
    pem_free(&text);
    *state = stage;
    return 0;
}

int tear_down(void **state)
{
    struct stage *stage = *state;

    tls_identity_free(stage->identity);
    tls_shared_free(stage->shared);
    free(stage);
    return 0;
}

void pair_open(struct pair *p, struct tls_server *server, int version,
    SSL_SESSION *session)
{
    char name[] = "relay.example.com";

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
    p->server = tls_session_new(server, p->fds[0]);
    assert_non_null(p->server);
    p->ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_max_proto_version(p->ctx, version), 1);
    p->client = SSL_new(p->ctx);
    assert_int_equal(SSL_set_fd(p->client, p->fds[1]), 1);
    assert_int_equal(SSL_set_tlsext_host_name(p->client, name), 1);
    if (session != NULL)
        assert_int_equal(SSL_set_session(p->client, session), 1);
    SSL_set_connect_state(p->client);
}

void pair_close(struct pair *p)
{
    tls_session_free(p->server);
    SSL_set_shutdown(p->client, SSL_SENT_SHUTDOWN); /* else it forgets */
    SSL_free(p->client);
    SSL_CTX_free(p->ctx);
    (void)close(p->fds[0]);
    (void)close(p->fds[1]);
}

int shake_hands(struct pair *p)
{
    int failed = -EAGAIN;

    for (int i = 0; i < 10 && failed == -EAGAIN; i++) {
        (void)SSL_do_handshake(p->client);
        failed = tls_session_handshake(p->server);
    }
    (void)SSL_do_handshake(p->client);
    return failed;
}

SSL_SESSION *resumable(struct pair *p)
{
    char byte = 0;

    assert_int_equal(tls_session_write(p->server, "x", 1), 1);
    assert_int_equal(SSL_read(p->client, &byte, 1), 1);
    return SSL_get1_session(p->client);
}
