#include "push/credentials.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

#include "outward/crypto.h"

/* Nobody is asked for one: the library would, on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is theirs */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_pem(const char *text)
{
    OWNED(BIO) *bio = BIO_new_mem_buf(text, -1);

    return bio == NULL ? NULL
                       : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
}

/* Base64 without armour: PKCS#8, then PKCS#1, as d2i tells them apart. */
static EVP_PKEY *read_bare(const char *text)
{
    BIO *base64 = BIO_new(BIO_f_base64());
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = NULL;

    if (base64 != NULL && bio != NULL) {
        if (strchr(text, '\n') == NULL)
            BIO_set_flags(base64, BIO_FLAGS_BASE64_NO_NL);
        bio = BIO_push(base64, bio);
        base64 = NULL;
        key = d2i_PrivateKey_bio(bio, NULL);
    }
    BIO_free(base64);
    BIO_free_all(bio);
    return key;
}

/* The RSA key, or NULL. */
static EVP_PKEY *read_key(const char *text)
{
    EVP_PKEY *key = read_pem(text);

    if (key == NULL)
        key = read_bare(text);
    if (key != NULL && EVP_PKEY_is_a(key, "RSA") != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

/* The member's text, or that one where there is none; false: too long. */
static bool copy_text(char *ret, size_t cap, const json_t *object,
    const char *name, const char *otherwise)
{
    const char *text = text_of(object, name);
    size_t len = 0;

    if (text[0] == '\0')
        text = otherwise;
    len = strlen(text);
    if (len >= cap)
        return false;
    memcpy(ret, text, len + 1);
    return true;
}

/* It is given to the HTTP library as it is. */
static bool is_https_url(const char *text)
{
    static const char scheme[] = "https://";

    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0 ||
        text[sizeof(scheme) - 1] == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || strchr("\"\\<>@", *text) != NULL)
            return false;
    }
    return true;
}

/* It becomes a part of a path. */
static bool is_project(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-")] ==
           '\0';
}

static bool read_texts(const json_t *object, struct credentials *c)
{
    return strcmp(text_of(object, "type"), "service_account") == 0 &&
           text_of(object, "client_email")[0] != '\0' &&
           copy_text(c->email, sizeof(c->email), object, "client_email", "") &&
           copy_text(
               c->key_id, sizeof(c->key_id), object, "private_key_id", "") &&
           copy_text(c->token_uri, sizeof(c->token_uri), object, "token_uri",
               CREDENTIALS_TOKEN_URI) &&
           is_https_url(c->token_uri) &&
           copy_text(c->project, sizeof(c->project), object, "project_id",
               CREDENTIALS_PROJECT) &&
           is_project(c->project);
}

bool credentials_read(const char *document, struct credentials *ret)
{
    json_t *object = json_loads(document, 0, NULL);
    struct credentials c = {.key = NULL};

    if (json_is_object(object) && read_texts(object, &c))
        c.key = read_key(text_of(object, "private_key"));
    json_decref(object);
    if (c.key == NULL)
        return false;
    *ret = c;
    return true;
}

void credentials_done(struct credentials *c)
{
    EVP_PKEY_free(c->key);
    explicit_bzero(c, sizeof(*c));
}

const char *credentials_check(const char *document)
{
    struct credentials c;

    if (!credentials_read(document, &c))
        return CREDENTIALS_REFUSED;
    credentials_done(&c);
    return NULL;
}
