#include "net/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/tls_part.h"

/* TLS 1.2: forward secrecy and authenticated encryption alone; whose key is
 * cheaper comes first. */
#define CIPHERS                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"             \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"               \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERSUITES                                                           \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"                           \
    "TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES                                                             \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"                          \
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"                            \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* Sessions of one server's tickets are no other program's. */
static const uint8_t session_context[] = "pyrycode-relay";

/* ---- a certificate and its key ---- */

/* No passphrase is asked for: nobody is there to answer. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's callback. */
static int no_passphrase(char *buf, int size, int rwflag, void *user)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)user;
    return -1;
}

static BIO *open_text(struct span text)
{
    return text.len > INT_MAX ? NULL : BIO_new_mem_buf(text.ptr, (int)text.len);
}

static EVP_PKEY *read_key(struct span text)
{
    BIO *bio = open_text(text);
    EVP_PKEY *key =
        bio == NULL ? NULL
                    : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

    BIO_free_all(bio);
    return key;
}

/* Every certificate of the text; NULL: there is none, or one is broken. */
static STACK_OF(X509) * read_chain(struct span text)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    BIO *bio = open_text(text);
    X509 *next = NULL;
    bool whole = chain != NULL && bio != NULL;

    while (whole &&
           (next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        whole = sk_X509_push(chain, next) > 0;
        if (!whole)
            X509_free(next);
    }
    /* The text ends where no further block begins. */
    whole = whole && sk_X509_num(chain) > 0 &&
            ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free_all(bio);
    if (whole)
        return chain;
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

/* Take the chain apart into leaf and issuers, and show them. */
static const char *show(SSL_CTX *ctx, EVP_PKEY *key, STACK_OF(X509) * chain)
{
    X509 *leaf = sk_X509_shift(chain);
    const char *err = NULL;

    if (X509_check_private_key(leaf, key) != 1) {
        err = "the private key is not the certificate's";
    } else if (SSL_CTX_use_cert_and_key(ctx, leaf, key, chain, 1) != 1) {
        err = "the certificate or its key is not strong enough to be served";
    }
    X509_free(leaf);
    return err;
}

static const char *load(SSL_CTX *ctx, const struct tls_pem *pem)
{
    EVP_PKEY *key = read_key(pem->key);
    STACK_OF(X509) *chain = read_chain(pem->chain);
    const char *err = NULL;

    if (key == NULL) {
        err = "the private key cannot be read";
    } else if (chain == NULL) {
        err = "the certificate cannot be read";
    } else {
        err = show(ctx, key, chain);
    }
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    ERR_clear_error();
    return err;
}

/* What one side of ALPN gives the other: its list, as it is on the wire. */
struct protocols {
    const uint8_t *list;
    unsigned len;
};

/* No common protocol: the alert no_application_protocol, RFC 7301. */
static int select_protocol(struct protocols ours, struct protocols theirs,
    const uint8_t **ret, uint8_t *ret_len)
{
    uint8_t *chosen = NULL;

    if (SSL_select_next_proto(&chosen, ret_len, ours.list, ours.len,
            theirs.list, theirs.len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL's callbacks have these parameters. */
/* NOLINTBEGIN(readability-function-size) */
static int on_alpn_http(SSL *ssl, const uint8_t **out, uint8_t *out_len,
    const uint8_t *in, unsigned in_len, void *arg)
{
    static const uint8_t ours[] = "\x08http/1.1";

    (void)ssl;
    (void)arg;
    return select_protocol((struct protocols){ours, sizeof(ours) - 1},
        (struct protocols){in, in_len}, out, out_len);
}

static int on_alpn_challenge(SSL *ssl, const uint8_t **out, uint8_t *out_len,
    const uint8_t *in, unsigned in_len, void *arg)
{
    static const uint8_t ours[] = "\x0a"
                                  "acme-tls/1";

    (void)ssl;
    (void)arg;
    return select_protocol((struct protocols){ours, sizeof(ours) - 1},
        (struct protocols){in, in_len}, out, out_len);
}
/* NOLINTEND(readability-function-size) */

static int64_t expiry_of(const SSL_CTX *ctx)
{
    const X509 *leaf = SSL_CTX_get0_certificate(ctx);
    struct tm tm;

    if (leaf == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1)
        return 0;
    return timegm(&tm);
}

static const char *prepare_identity(
    SSL_CTX *ctx, const struct tls_pem *pem, enum tls_use use)
{
    char signatures[] = SIGNATURES;

    /* A session takes these from its certificate's context, the rest from its
     * server's. */
    if (SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, CIPHERSUITES) != 1 ||
        SSL_CTX_set1_sigalgs_list(ctx, signatures) != 1 ||
        SSL_CTX_set_session_id_context(
            ctx, session_context, sizeof(session_context)) != 1)
        return "out of memory";
    SSL_CTX_set_alpn_select_cb(
        ctx, use == TLS_USE_CHALLENGE ? on_alpn_challenge : on_alpn_http, NULL);
    return load(ctx, pem);
}

struct tls_identity *tls_identity_new(
    const struct tls_pem *pem, enum tls_use use, const char **ret_err)
{
    struct tls_identity *identity = calloc(1, sizeof(*identity));
    const char *err = "out of memory";

    if (identity != NULL)
        identity->ctx = SSL_CTX_new(TLS_server_method());
    if (identity != NULL && identity->ctx != NULL)
        err = prepare_identity(identity->ctx, pem, use);
    if (err != NULL) {
        tls_identity_free(identity);
        *ret_err = err;
        return NULL;
    }
    identity->expires_s = expiry_of(identity->ctx);
    identity->use = use;
    return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
    if (identity == NULL)
        return;
    SSL_CTX_free(identity->ctx);
    free(identity);
}

int64_t tls_identity_expires_s(const struct tls_identity *identity)
{
    return identity->expires_s;
}

bool tls_identity_is_for(const struct tls_identity *identity, const char *name)
{
    X509 *leaf = SSL_CTX_get0_certificate(identity->ctx);

    return leaf != NULL && X509_check_host(leaf, name, 0,
                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* ---- tickets ---- */

static int seal_ticket(const struct tls_ticket_key *key, uint8_t *name,
    uint8_t *iv, EVP_CIPHER_CTX *cipher)
{
    memcpy(name, key->name, sizeof(key->name));
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
        return -1;
    return EVP_EncryptInit_ex2(
               cipher, EVP_aes_256_cbc(), key->cipher, iv, NULL) == 1
               ? 1
               : -1;
}

static int open_ticket(const struct tls_ticket_keys *keys,
    const struct tls_ticket_key *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher)
{
    if (EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv, NULL) !=
        1)
        return -1;
    return key == &keys->current ? 1 : 2; /* 2: a fresh one is due */
}

static bool set_mac(const struct tls_ticket_key *key, EVP_MAC_CTX *mac)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_init(mac, key->mac, sizeof(key->mac), params) == 1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: 0 means a ticket that is
 * not ours any more, and then a full handshake. */
/* NOLINTNEXTLINE(readability-function-size): nor has this one fewer. */
static int on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
    const struct tls_session *s = tls_session_of(ssl);
    const struct tls_ticket_keys *keys =
        s->server == NULL ? NULL : &s->server->tickets;
    const struct tls_ticket_key *key = NULL;

    if (keys == NULL)
        return seals ? -1 : 0;
    key = seals ? &keys->current : tls_ticket_find(keys, name);
    if (key == NULL)
        return 0;
    if (!set_mac(key, mac))
        return -1;
    return seals ? seal_ticket(key, name, iv, cipher)
                 : open_ticket(keys, key, iv, cipher);
}

/* ---- a worker's server ---- */

static struct span extension(SSL *ssl, unsigned type)
{
    const uint8_t *body = NULL;
    size_t len = 0;

    if (SSL_client_hello_get0_ext(ssl, type, &body, &len) != 1)
        return span_of("", 0);
    return span_of(body, len);
}

static struct span suites_of(SSL *ssl)
{
    const uint8_t *list = NULL;
    size_t len = SSL_client_hello_get0_ciphers(ssl, &list);

    return len == 0 ? span_of("", 0) : span_of(list, len);
}

/* A session of a challenge is seen once: a ticket of it would open sessions of
 * clients without a look at their certificate, and one of theirs this one. */
static bool show_identity(SSL *ssl, const struct tls_identity *identity)
{
    if (SSL_set_SSL_CTX(ssl, identity->ctx) == NULL)
        return false;
    if (identity->use != TLS_USE_CHALLENGE)
        return true;
    (void)SSL_set_options(ssl, SSL_OP_NO_TICKET);
    return SSL_set_num_tickets(ssl, 0) == 1;
}

/* Before anything is chosen: whose certificate is shown, if any. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
    struct tls_server *server = arg;
    struct tls_session *s = tls_session_of(ssl);
    const struct tls_identity *identity = NULL;
    const struct tls_hello hello = {
        .server_name = extension(ssl, TLSEXT_TYPE_server_name),
        .alpn =
            extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation),
        .signature_algorithms =
            extension(ssl, TLSEXT_TYPE_signature_algorithms),
        .suites = suites_of(ssl),
    };

    s->greeted = true;
    s->verdict = server->hello(server->owner, &hello, &identity);
    switch (s->verdict) {
    case TLS_SERVE:
        if (show_identity(ssl, identity))
            return SSL_CLIENT_HELLO_SUCCESS;
        *alert = SSL_AD_INTERNAL_ERROR;
        break;
    case TLS_UNKNOWN_NAME:
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        break;
    case TLS_AWAIT:
        if (!s->impatient)
            return SSL_CLIENT_HELLO_RETRY;
        s->verdict = TLS_NOT_READY;
        *alert = SSL_AD_INTERNAL_ERROR;
        break;
    case TLS_NOT_READY:
        *alert = SSL_AD_INTERNAL_ERROR;
        break;
    }
    return SSL_CLIENT_HELLO_ERROR;
}

static void set_modes(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_options(
        ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(ctx, TLS_TICKET_PERIOD_MS / 1000);
    (void)SSL_CTX_set_read_ahead(ctx, 1);
    /* A read returns after a record without data. */
    (void)SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
}

static bool prepare_server(struct tls_server *server)
{
    SSL_CTX *ctx = server->ctx;
    char groups[] = GROUPS;

    set_modes(ctx);
    SSL_CTX_set_client_hello_cb(ctx, on_hello, server);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, CIPHERSUITES) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 &&
           SSL_CTX_set_session_id_context(
               ctx, session_context, sizeof(session_context)) == 1;
}

struct tls_server *tls_server_new(const struct tls_server_setup *setup)
{
    struct tls_server *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return NULL;
    server->shared = setup->shared;
    server->hello = setup->hello;
    server->owner = setup->owner;
    server->ctx = SSL_CTX_new(TLS_server_method());
    if (server->ctx == NULL || !prepare_server(server) ||
        !tls_ticket_init(
            &server->tickets, setup->ticket_seed, setup->started_ms)) {
        ERR_clear_error();
        tls_server_free(server);
        return NULL;
    }
    return server;
}

void tls_server_free(struct tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(server->ctx);
    tls_ticket_wipe(&server->tickets);
    free(server);
}

void tls_server_set_time(struct tls_server *server, uint64_t now_ms)
{
    IGNORE(!tls_ticket_advance(&server->tickets, now_ms),
        "the old keys do for a while");
}

struct tls_shared *tls_shared_new(void)
{
    struct tls_shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL)
        return NULL;
    shared->bio = tls_bio_method_new();
    if (shared->bio == NULL) {
        free(shared);
        return NULL;
    }
    return shared;
}

void tls_shared_free(struct tls_shared *shared)
{
    if (shared == NULL)
        return;
    BIO_meth_free(shared->bio);
    free(shared);
}
