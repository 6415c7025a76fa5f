#include "acme/agent_part.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "acme/store.h"
#include "outward/clock.h"

static uint32_t chance(void)
{
    uint32_t value = 0;

    /* only spreads load: without it, all is as well */
    (void)RAND_bytes((unsigned char *)&value, sizeof(value));
    return value;
}

/* The text, judged good, becomes the one in hand. */
static void take_certificate(
    struct agent *a, struct pem *text, const struct certificate *certificate)
{
    pem_done(&a->text);
    a->text = pem_take(text);
    a->certificate = *certificate;
    a->schedule = (struct schedule){
        .not_before_s = certificate->not_before_s,
        .not_after_s = certificate->not_after_s,
        .chance = chance(),
    };
    a->ask_at_s = certificate->ari_id[0] == '\0' ? 0 : clock_unix_s();
}

static struct store_query query_of(const struct agent *a, enum store_kind kind)
{
    return (struct store_query){
        .domain = a->config.domain, .kind = kind, .now_s = clock_unix_s()};
}

/* A valid certificate of the directory; false: there is none, which is a
 * failure if what is there cannot be used. */
static bool read_directory(struct agent *a, enum store_kind kind,
    struct pem *ret_text, struct certificate *ret)
{
    struct store_query query = query_of(a, kind);
    struct failure failure;

    switch (store_load(a->config.directory, &query, ret_text, ret, &failure)) {
    case STORE_OK:
        return true;
    case STORE_UNUSABLE:
        agent_send_failure(a, &failure);
        return false;
    case STORE_ABSENT:
    case STORE_EXPIRED:
        return false;
    }
    return false;
}

/* What the directory has. */
static void load(struct agent *a)
{
    OWNED_PEM text = {.text = NULL};
    struct certificate certificate;

    if (!read_directory(a, STORE_ECDSA, &text, &certificate))
        return;
    take_certificate(a, &text, &certificate);
    agent_send_certificate(a, &a->certificate, AGENT_CACHED);
}

/* The other one that it may have, which is handed on and never ordered. */
static void load_rsa(struct agent *a)
{
    OWNED_PEM text = {.text = NULL};
    struct certificate certificate;

    if (read_directory(a, STORE_RSA, &text, &certificate))
        agent_send_certificate(a, &certificate, AGENT_CACHED_RSA);
}

static void note_failure(struct agent *a, const struct failure *failure)
{
    struct schedule *s = &a->schedule;

    s->failed_at_s = clock_unix_s();
    s->retry_at_s = failure->retry_after_s == 0
                        ? 0
                        : s->failed_at_s + failure->retry_after_s;
    s->failures++;
    s->chance = chance();
    if (failure->kind != AGENT_CANCELLED)
        agent_send_failure(a, failure);
}

static void save(struct agent *a)
{
    struct store_query query = query_of(a, STORE_ECDSA);
    struct failure failure;

    a->is_unsaved =
        !store_save(a->config.directory, &query, pem_span(&a->text), &failure);
    if (a->is_unsaved) {
        note_failure(a, &failure);
    } else {
        a->schedule.failures = 0;
    }
}

/* Judge what was issued; it serves whether it can be written or not. */
static void take_issued(struct agent *a, struct pem *text)
{
    struct certificate certificate;
    struct failure failure;
    enum certificate_status status = certificate_judge(
        pem_span(text), a->config.domain, clock_unix_s(), &certificate);

    /* the CA's clock may be ahead of ours by a little */
    if (status != CERTIFICATE_OK && status != CERTIFICATE_EARLY) {
        failure_set(&failure, AGENT_BAD_CERTIFICATE,
            "the CA issued something else: %s",
            certificate_status_text(status));
        note_failure(a, &failure);
        return;
    }
    take_certificate(a, text, &certificate);
    a->schedule.issued_at_s = clock_unix_s();
    save(a);
    agent_send_certificate(a, &a->certificate, AGENT_ISSUED);
}

static bool ensure_account(struct agent *a, struct failure *ret_failure)
{
    if (a->account == NULL)
        a->account = store_account(a->config.directory, ret_failure);
    return a->account != NULL;
}

/* One order with the proof that is next. */
static bool order_once(
    struct agent *a, struct pem *ret, struct failure *ret_failure)
{
    const char *id = a->certificate.ari_id;
    struct order_config config = {
        .directory_url = a->config.directory_url,
        .domain = a->config.domain,
        .email = a->config.email,
        .replaces = a->text.text == NULL || id[0] == '\0' ? NULL : id,
        .proof = a->proof,
        .account = a->account,
    };
    struct issue_hooks hooks = {.present = agent_present,
        .withdraw = agent_withdraw,
        .wait = agent_wait,
        .ctx = a};

    return issue_certificate(a->transport, &config, &hooks, ret, ret_failure);
}

/* The CA could not validate one proof: the other one is next, if we may. */
static bool change_proof(struct agent *a)
{
    if (a->config.may != (AGENT_MAY_TLS_ALPN | AGENT_MAY_HTTP))
        return false;
    a->proof = a->proof == ORDER_HTTP_01 ? ORDER_TLS_ALPN_01 : ORDER_HTTP_01;
    return true;
}

static void order(struct agent *a)
{
    OWNED_PEM text = {.text = NULL};
    struct failure failure;
    bool is_issued = false;

    agent_send_status(a, AGENT_ORDERING);
    if (!ensure_account(a, &failure)) {
        note_failure(a, &failure);
        return;
    }
    is_issued = order_once(a, &text, &failure);
    if (!is_issued && failure.kind == AGENT_CHALLENGE && change_proof(a)) {
        note_failure(a, &failure);
        is_issued = order_once(a, &text, &failure);
    }
    if (is_issued) {
        take_issued(a, &text);
    } else {
        note_failure(a, &failure);
    }
}

/* RFC 9773.  A CA that does not answer is not worth a failure: the order will
 * say it, and the certificate's own dates hold meanwhile. */
static void ask_renewal(struct agent *a)
{
    struct issue_renewal_info info = {.retry_after_s = -1};
    struct failure failure;
    int64_t wait_s = AGENT_ARI_S;

    if (issue_ask_renewal(a->transport, a->config.directory_url,
            a->certificate.ari_id, &info, &failure) &&
        info.is_offered) {
        a->schedule.window_start_s = info.window.start_s;
        a->schedule.window_end_s = info.window.end_s;
        if (info.retry_after_s >= 0)
            wait_s = info.retry_after_s;
    }
    if (wait_s < AGENT_ARI_MIN_S)
        wait_s = AGENT_ARI_MIN_S;
    a->ask_at_s =
        clock_unix_s() + (wait_s < AGENT_ARI_MAX_S ? wait_s : AGENT_ARI_MAX_S);
}

/* The loop. */

/* Do what is due; true if the relay should hear the new state. */
static bool do_due(struct agent *a)
{
    int64_t now = clock_unix_s();

    if (a->ask_at_s != 0 && now >= a->ask_at_s) {
        ask_renewal(a);
        return true;
    }
    if (a->must_renew) {
        order(a);
        /* wished for again meanwhile: here it is */
        while (agent_hear(a, 0) && !a->is_stopping)
            ;
        a->must_renew = false;
        return true;
    }
    if (now < agent_due_s(a))
        return false;
    if (a->is_unsaved) {
        save(a);
    } else {
        order(a);
    }
    return true;
}

static int sleep_ms(const struct agent *a)
{
    int64_t now = clock_unix_s();
    int64_t until_s = agent_due_s(a);

    if (a->ask_at_s != 0 && a->ask_at_s < until_s)
        until_s = a->ask_at_s;
    if (until_s <= now || a->must_renew || a->is_stopping)
        return 0;
    if (until_s - now > AGENT_SLEEP_MAX_S)
        return AGENT_SLEEP_MAX_S * 1000;
    return (int)(until_s - now) * 1000;
}

/* What the directory has, and be it that nobody else writes there: then it
 * stays so.  What cannot be locked for another reason cannot be written either,
 * and that is said when it is tried. */
static void look(struct agent *a)
{
    a->is_alone = store_lock(a->config.directory) != -EAGAIN;
    load(a);
    load_rsa(a);
    agent_send_status(a, AGENT_IDLE);
}

static void run(struct agent *a)
{
    agent_send_status(a, AGENT_STARTING);
    look(a);
    while (!a->is_stopping && !a->is_alone) {
        (void)agent_hear(a, AGENT_ALONE_MS);
        if (store_lock(a->config.directory) != -EAGAIN)
            look(a); /* the other may have renewed it */
    }
    while (!a->is_stopping) {
        if (do_due(a))
            agent_send_status(a, AGENT_IDLE);
        (void)agent_hear(a, sleep_ms(a));
    }
}

static bool is_address(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr("\"\\<>,?", *at) != NULL)
            return false;
    }
    return strchr(text, '@') != NULL && strlen(text) <= AGENT_NAME_MAX;
}

const char *agent_config_fault(const struct agent_config *config)
{
    if (!store_is_domain(config->domain))
        return "the domain is not a host name in lower case";
    if (config->email != NULL && !is_address(config->email))
        return "the e-mail address is not one";
    if (!document_is_url(config->directory_url))
        return "the ACME directory is not an https URL";
    return (config->may & (AGENT_MAY_HTTP | AGENT_MAY_TLS_ALPN)) == 0
               ? "no challenge can be served"
               : NULL;
}

static struct agent *agent_new(const struct agent_config *config, int fd)
{
    struct agent *a = calloc(1, sizeof(*a));
    struct transport_config transport = {.ca_file = config->ca_file,
        .user_agent = config->user_agent,
        .is_cancelled = agent_is_cancelled,
        .ctx = a};

    if (a == NULL)
        return NULL;
    a->config = *config;
    a->proof = (config->may & AGENT_MAY_TLS_ALPN) != 0 ? ORDER_TLS_ALPN_01
                                                       : ORDER_HTTP_01;
    a->channel = channel_new(fd, AGENT_TO_AGENT);
    a->transport = transport_new(&transport);
    return a;
}

static void agent_free(struct agent *a)
{
    if (a == NULL)
        return;
    transport_free(a->transport);
    channel_free(a->channel);
    EVP_PKEY_free(a->account);
    pem_done(&a->text);
    free(a);
}

int agent_run(const struct agent_config *config, int fd)
{
    struct agent *a = NULL;
    int status = 0;

    if (agent_config_fault(config) != NULL)
        return -EINVAL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    a = agent_new(config, fd);
    if (a == NULL || a->channel == NULL || a->transport == NULL) {
        status = -ENOMEM;
    } else {
        run(a);
    }
    agent_free(a);
    curl_global_cleanup();
    return status;
}
