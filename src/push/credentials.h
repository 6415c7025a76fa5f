/*
 * credentials: a Google service-account key as its JSON document.
 *
 * Nothing of the document ever reaches a message.
 */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "base/attr.h"

enum {
    CREDENTIALS_TEXT_MAX = 512,   /* bytes of a text, the NUL included */
    CREDENTIALS_PROJECT_MAX = 64, /* likewise; Google's have 30 */
};

#define CREDENTIALS_TOKEN_URI "https://oauth2.googleapis.com/token"
#define CREDENTIALS_PROJECT   "pyrycode-mobile"

struct credentials {
    EVP_PKEY *key;                         /* RSA */
    char email[CREDENTIALS_TEXT_MAX];      /* client_email */
    char key_id[CREDENTIALS_TEXT_MAX];     /* private_key_id; "": none */
    char token_uri[CREDENTIALS_TEXT_MAX];  /* CREDENTIALS_TOKEN_URI if absent */
    char project[CREDENTIALS_PROJECT_MAX]; /* CREDENTIALS_PROJECT if absent */
};

/* The reason. */
#define CREDENTIALS_REFUSED "not a service-account JSON key"

/*
 * Read a service-account key: a JSON object, type service_account, a
 * client_email, an RSA private key (PKCS#8 or PKCS#1, PEM armour optional), and,
 * if there is one, a token_uri with https and a project_id that is one.  True:
 * *ret is the caller's to credentials_done().
 */
MUST_CHECK NONNULL bool credentials_read(
    const char *document, struct credentials *ret);
NONNULL void credentials_done(struct credentials *c);

/* NULL if credentials_read() takes the document; else the reason, a constant. */
NONNULL const char *credentials_check(const char *document);
