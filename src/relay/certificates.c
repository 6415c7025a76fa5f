#include "relay/certificates.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "relay/log.h"
#include "relay/relay.h"
#include "wire/client_hello.h"

/* ---- what a ClientHello is shown ---- */

static bool is_ours(const struct relay *relay, struct span name)
{
    return http_name_is(name, relay->domain);
}

/* For a client of HTTP: what it can take, or else what there is. */
static const struct tls_identity *choose(
    const struct shard *shard, const struct tls_hello *hello)
{
    const struct tls_identity *first = shard->identities[TLS_USE_HTTP];
    const struct tls_identity *rsa = shard->identities[TLS_USE_RSA];

    if (first == NULL || rsa == NULL)
        return first == NULL ? rsa : first;
    return client_hello_takes_ecdsa(hello->signature_algorithms, hello->suites)
               ? first
               : rsa;
}

enum tls_verdict certificates_judge(
    void *owner, const struct tls_hello *hello, const struct tls_identity **ret)
{
    struct shard *shard = owner;
    struct span name;

    if (!client_hello_host_name(hello->server_name, &name) ||
        !is_ours(shard->relay, name))
        return TLS_UNKNOWN_NAME;
    if (client_hello_offers(hello->alpn, "acme-tls/1")) {
        *ret = shard->identities[TLS_USE_CHALLENGE];
        if (*ret == NULL) /* then the protocol is none of ours */
            *ret = shard->identities[TLS_USE_HTTP];
        return *ret == NULL ? TLS_NOT_READY : TLS_SERVE;
    }
    *ret = choose(shard, hello);
    if (*ret != NULL)
        return TLS_SERVE;
    return atomic_load(&shard->relay->awaiting) ? TLS_AWAIT : TLS_NOT_READY;
}

void certificates_done(struct shard *shard)
{
    for (size_t i = 0; i < ARRAY_LEN(shard->identities); i++) {
        tls_identity_free(shard->identities[i]);
        shard->identities[i] = NULL;
    }
}

/* ---- from the control shard to all others ---- */

struct delivery {
    struct mail mail;
    struct shard *to;
    struct batch *batch;
    /* On the way there the new one, on the way back the old one; or NULL. */
    struct tls_identity *identity;
};

struct batch {
    struct relay *relay;
    enum tls_use use;
    certificates_shown_fn *shown;
    void *ctx;
    int64_t expires_s; /* of a certificate for clients; 0: unknown */
    size_t count;
    size_t under_way;
    struct delivery deliveries[];
};

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        tls_identity_free(batch->deliveries[i].identity);
    free(batch);
}

static void log_installed(const struct relay *relay, int64_t expires_s)
{
    char text[32] = "unknown";
    time_t when = (time_t)expires_s;
    struct tm tm;

    if (expires_s != 0 && gmtime_r(&when, &tm) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    LOG(LOG_INFO, "certificate_installed", LOG_TEXT(LOG_DOMAIN, relay->domain),
        LOG_TEXT(LOG_EXPIRES, text));
    if (expires_s != 0 && expires_s <= time(NULL)) {
        LOG(LOG_WARN, "certificate_expired",
            LOG_TEXT(LOG_DOMAIN, relay->domain), LOG_TEXT(LOG_EXPIRES, text));
    }
}

/* Every shard shows it now; at the end of the relay that is nobody's concern
 * any more. */
static void announce(const struct batch *batch)
{
    struct relay *relay = batch->relay;

    if (atomic_load(&relay->stopped))
        return;
    if (batch->shown != NULL)
        batch->shown(batch->ctx);
    if (batch->use == TLS_USE_CHALLENGE)
        return;
    metrics_count(&relay->control.metrics, METRIC_CERTIFICATE_INSTALLED);
    log_installed(relay, batch->expires_s);
}

/* One came back. */
static void finish(struct batch *batch)
{
    assert(batch->under_way > 0);
    if (--batch->under_way > 0)
        return;
    announce(batch);
    batch_free(batch);
}

static struct delivery *delivery_of(struct mail *mail)
{
    return (struct delivery *)(void *)((char *)mail -
                                       offsetof(struct delivery, mail));
}

static void on_back(void *owner, struct mail *mail)
{
    (void)owner;
    finish(delivery_of(mail)->batch);
}

static void exchange(struct delivery *d)
{
    struct tls_identity **place = &d->to->identities[d->batch->use];
    struct tls_identity *old = *place;

    *place = d->identity;
    d->identity = old;
    if (*place != NULL && d->batch->use != TLS_USE_CHALLENGE &&
        d->batch->relay->serving)
        shard_post(d->to, &d->to->shown);
}

static void on_there(void *owner, struct mail *mail)
{
    struct delivery *d = delivery_of(mail);

    (void)owner;
    exchange(d);
    d->mail.fn = on_back;
    mailbox_post(&d->batch->relay->control.mailbox, &d->mail);
}

/* No worker runs yet: nobody else looks. */
static void exchange_all(struct batch *batch)
{
    batch->under_way = batch->count;
    for (size_t i = batch->count; i > 0; i--) {
        exchange(&batch->deliveries[i - 1]);
        finish(batch); /* the last one frees it */
    }
}

static void deliver(struct batch *batch)
{
    if (!batch->relay->serving) {
        exchange_all(batch);
        return;
    }
    batch->under_way = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        struct delivery *d = &batch->deliveries[i];

        d->mail.fn = on_there;
        mailbox_post(&d->to->mailbox, &d->mail);
    }
}

/* A letter for each shard, without content. */
static struct batch *batch_new(struct relay *relay, enum tls_use use)
{
    struct batch *batch = calloc(
        1, sizeof(*batch) + relay->shard_count * sizeof(batch->deliveries[0]));

    if (batch == NULL)
        return NULL;
    batch->relay = relay;
    batch->use = use;
    batch->count = relay->shard_count;
    for (size_t i = 0; i < batch->count; i++) {
        batch->deliveries[i].to = &relay->shards[i];
        batch->deliveries[i].batch = batch;
    }
    return batch;
}

/* Each shard gets an object of its own: no reference count is shared. */
static const char *fill(struct batch *batch, const struct tls_pem *pem)
{
    const char *err = NULL;

    for (size_t i = 0; i < batch->count && err == NULL; i++)
        batch->deliveries[i].identity = tls_identity_new(pem, batch->use, &err);
    return err;
}

/* *ret is written if NULL is returned, which means that all is well. */
static const char *make(struct relay *relay, enum tls_use use,
    const struct tls_pem *pem, struct batch **ret)
{
    struct batch *batch = batch_new(relay, use);
    const char *err = batch == NULL ? "out of memory" : fill(batch, pem);

    if (err == NULL &&
        !tls_identity_is_for(batch->deliveries[0].identity, relay->domain))
        err = "the certificate is not for the domain";
    if (err == NULL) {
        *ret = batch;
    } else if (batch != NULL) {
        batch_free(batch);
    }
    return err;
}

/* ---- what the owner of certificates calls ---- */

static void log_refused(const struct relay *relay, const char *err)
{
    LOG(LOG_ERROR, "certificate_refused", LOG_TEXT(LOG_DOMAIN, relay->domain),
        LOG_TEXT(LOG_ERR, err),
        LOG_TEXT(LOG_FIX,
            "give the key and the whole chain, leaf first, as PEM, for the "
            "name of --domain; what was served before still is"));
}

static bool install(
    struct relay *relay, enum tls_use use, const struct tls_pem *pem)
{
    struct batch *batch = NULL;
    const char *err = make(relay, use, pem, &batch);

    if (err != NULL) {
        metrics_count(&relay->control.metrics, METRIC_CERTIFICATE_REFUSED);
        log_refused(relay, err);
        return false;
    }
    batch->expires_s = tls_identity_expires_s(batch->deliveries[0].identity);
    if (use == TLS_USE_HTTP)
        relay->certificate_expires_s = batch->expires_s;
    deliver(batch);
    return true;
}

bool relay_install_certificate(struct relay *relay, const struct tls_pem *pem)
{
    return install(relay, TLS_USE_HTTP, pem);
}

bool relay_install_rsa(struct relay *relay, const struct tls_pem *pem)
{
    return install(relay, TLS_USE_RSA, pem);
}

bool relay_present_tls(struct relay *relay, const struct tls_pem *pem,
    certificates_shown_fn *shown, void *ctx)
{
    struct batch *batch = NULL;
    const char *err = make(relay, TLS_USE_CHALLENGE, pem, &batch);

    if (err != NULL) {
        log_refused(relay, err);
        return false;
    }
    batch->shown = shown;
    batch->ctx = ctx;
    deliver(batch);
    return true;
}

void relay_withdraw_tls(struct relay *relay)
{
    struct batch *batch = batch_new(relay, TLS_USE_CHALLENGE);

    if (batch != NULL) /* else it is shown until the next one */
        deliver(batch);
}

bool relay_present_http(
    struct relay *relay, const char *token, const char *authorization)
{
    return challenges_add(&relay->challenges, token, authorization);
}

void relay_withdraw_http(struct relay *relay, const char *token)
{
    challenges_remove(&relay->challenges, token);
}

void relay_withdraw_all(struct relay *relay)
{
    relay_withdraw_tls(relay);
    challenges_clear(&relay->challenges);
}
