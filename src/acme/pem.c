#include "acme/pem.h"

#include <limits.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/num.h"
#include "outward/crypto.h"

void pem_done(struct pem *pem)
{
    if (pem->text != NULL)
        explicit_bzero(pem->text, pem->len);
    free(pem->text);
    *pem = (struct pem){.text = NULL};
}

struct pem pem_take(struct pem *pem)
{
    struct pem taken = *pem;

    *pem = (struct pem){.text = NULL};
    return taken;
}

EVP_PKEY *pem_new_key(void)
{
    return EVP_EC_gen("P-256");
}

/* There is no pass phrase and nobody to ask for one. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is given */
static int no_pass_phrase(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1;
}

static BIO *reader(struct span text)
{
    return text.len > INT_MAX ? NULL : BIO_new_mem_buf(text.ptr, (int)text.len);
}

EVP_PKEY *pem_read_key(struct span block)
{
    OWNED(BIO) *in = reader(block);

    return in == NULL ? NULL
                      : PEM_read_bio_PrivateKey(in, NULL, no_pass_phrase, NULL);
}

X509 *pem_read_certificate(struct span block)
{
    OWNED(BIO) *in = reader(block);

    return in == NULL ? NULL
                      : PEM_read_bio_X509(in, NULL, no_pass_phrase, NULL);
}

bool pem_join(struct span first, struct span second, struct pem *ret)
{
    struct pem pem = {.text = NULL};
    size_t sum = 0;

    if (num_add_overflows(first.len, second.len, &pem.len) ||
        num_add_overflows(pem.len, 1, &sum))
        return false;
    pem.text = malloc(sum);
    if (pem.text == NULL)
        return false;
    if (first.len > 0)
        memcpy(pem.text, first.ptr, first.len);
    if (second.len > 0)
        memcpy(pem.text + first.len, second.ptr, second.len);
    pem.text[pem.len] = '\0';
    *ret = pem;
    return true;
}

/* What was written to a memory BIO, as a text of our own. */
static bool take_written(BIO *out, struct pem *ret)
{
    char *data = NULL;
    long len = BIO_get_mem_data(out, &data);

    return len > 0 &&
           pem_join(span_of(data, (size_t)len), span_of(NULL, 0), ret);
}

bool pem_write_key(EVP_PKEY *key, struct pem *ret)
{
    OWNED(BIO) *out = BIO_new(BIO_s_secmem());

    return out != NULL &&
           PEM_write_bio_PrivateKey_traditional(
               out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
           take_written(out, ret);
}

bool pem_write_certificate(X509 *cert, struct pem *ret)
{
    OWNED(BIO) *out = BIO_new(BIO_s_mem());

    return out != NULL && PEM_write_bio_X509(out, cert) == 1 &&
           take_written(out, ret);
}
