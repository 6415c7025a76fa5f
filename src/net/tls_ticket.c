#include "net/tls_ticket.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define DIGEST_LEN 32

_Static_assert(
    TLS_TICKET_CIPHER_LEN == DIGEST_LEN && TLS_TICKET_MAC_LEN == DIGEST_LEN &&
        TLS_TICKET_SEED_LEN == DIGEST_LEN && TLS_TICKET_NAME_LEN <= DIGEST_LEN,
    "one digest is enough for each");

/* One output of a seed: HMAC-SHA256 under the seed, of what it is for. */
static bool derive(const uint8_t seed[TLS_TICKET_SEED_LEN], const char *what,
    uint8_t ret[DIGEST_LEN])
{
    unsigned len = 0;

    return HMAC(EVP_sha256(), seed, TLS_TICKET_SEED_LEN, (const uint8_t *)what,
               strlen(what), ret, &len) != NULL &&
           len == DIGEST_LEN;
}

/* The keys of one period, and the seed of the next. */
static bool derive_period(const uint8_t seed[TLS_TICKET_SEED_LEN],
    struct tls_ticket_key *ret, uint8_t ret_next[TLS_TICKET_SEED_LEN])
{
    uint8_t name[DIGEST_LEN];

    if (!derive(seed, "ticket name", name) ||
        !derive(seed, "ticket cipher", ret->cipher) ||
        !derive(seed, "ticket mac", ret->mac) ||
        !derive(seed, "next seed", ret_next))
        return false;
    memcpy(ret->name, name, sizeof(ret->name));
    return true;
}

bool tls_ticket_init(struct tls_ticket_keys *keys,
    const uint8_t seed[TLS_TICKET_SEED_LEN], uint64_t started_ms)
{
    *keys = (struct tls_ticket_keys){.started_ms = started_ms};
    if (!derive_period(seed, &keys->current, keys->next_seed))
        return false;
    keys->previous = keys->current;
    return true;
}

static bool step(struct tls_ticket_keys *keys)
{
    struct tls_ticket_key key;
    uint8_t next[TLS_TICKET_SEED_LEN];
    bool derived = derive_period(keys->next_seed, &key, next);

    if (derived) {
        keys->previous = keys->current;
        keys->current = key;
        memcpy(keys->next_seed, next, sizeof(next));
        keys->period++;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    OPENSSL_cleanse(next, sizeof(next));
    return derived;
}

bool tls_ticket_advance(struct tls_ticket_keys *keys, uint64_t now_ms)
{
    uint64_t age_ms = now_ms > keys->started_ms ? now_ms - keys->started_ms : 0;
    uint64_t period = age_ms / TLS_TICKET_PERIOD_MS;

    while (keys->period < period) {
        if (!step(keys))
            return false;
    }
    return true;
}

const struct tls_ticket_key *tls_ticket_find(
    const struct tls_ticket_keys *keys, const uint8_t name[TLS_TICKET_NAME_LEN])
{
    if (memcmp(keys->current.name, name, TLS_TICKET_NAME_LEN) == 0)
        return &keys->current;
    if (memcmp(keys->previous.name, name, TLS_TICKET_NAME_LEN) == 0)
        return &keys->previous;
    return NULL;
}

void tls_ticket_wipe(struct tls_ticket_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}
