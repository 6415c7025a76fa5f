/*
 * tls_pair: a TLS session and a client of OpenSSL's own, on a socket pair; and
 * the certificate and the server that the session needs.
 */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"
#include "net/tls_session.h"

struct pem_text {
    char *key;
    char *chain;
};

/* A certificate that signs itself. */
struct pem_text make_certificate(const char *name, long days);
void pem_free(struct pem_text *text);
struct tls_identity *identity_of(
    const struct pem_text *text, enum tls_use use, const char **ret_err);

/* What the owner of a server answers, and what it was asked. */
struct stage {
    struct tls_shared *shared;
    struct tls_identity *identity;
    enum tls_verdict verdict;
    size_t name_len;      /* of the extension that came */
    unsigned long raises; /* an error of OpenSSL, meanwhile; 0: none */
};

struct tls_server *server_of(struct stage *stage);

/* Of a group of tests: its state is a stage that serves relay.example.com. */
int set_up(void **state);
int tear_down(void **state);

/* Both ends of a connection; the client is OpenSSL's own. */
struct pair {
    int fds[2];
    struct tls_session *server;
    SSL_CTX *ctx;
    SSL *client;
};

/* Nothing has been said yet.  version: the highest of the client's. */
void pair_open(struct pair *p, struct tls_server *server, int version,
    SSL_SESSION *session);
void pair_close(struct pair *p);

/* The server's outcome. */
int shake_hands(struct pair *p);

/* A session of that client, whose ticket has come. */
SSL_SESSION *resumable(struct pair *p);
