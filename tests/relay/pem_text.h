/* pem_text: a certificate that signs itself, and its key, made for a test. */
#pragma once

#include "net/tls.h"

struct pem_text {
    char *key;
    char *chain;
};

struct pem_text pem_text_new(const char *name);
void pem_text_free(struct pem_text *text);
struct tls_pem pem_text_of(const struct pem_text *text);
