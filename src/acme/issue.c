#include "acme/issue.h"

#include <stdlib.h>

#include "base/text.h"
#include "outward/clock.h"

static void cancel(struct order *o)
{
    struct failure failure = {.kind = AGENT_NO_FAILURE};

    failure_set(&failure, AGENT_CANCELLED, "the order was given up");
    order_fail(o, &failure);
}

static void do_request(struct order *o, struct transport *t)
{
    struct acme_response response;
    struct failure failure;

    if (transport_perform(t, order_request(o), &response, &failure)) {
        order_answer(o, &response, clock_monotonic_ms());
    } else {
        order_fail(o, &failure);
    }
}

static void do_present(
    struct order *o, enum order_proof proof, const struct issue_hooks *hooks)
{
    struct order_challenge challenge = order_challenge(o);
    struct failure failure;

    if (hooks->present(hooks->ctx, proof, &challenge, &failure)) {
        order_presented(o);
    } else {
        order_fail(o, &failure);
    }
}

static void do_wait(struct order *o, const struct issue_hooks *hooks)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t until_ms = order_wait_until_ms(o);

    if (until_ms > now_ms && !hooks->wait(hooks->ctx, until_ms - now_ms))
        cancel(o);
}

/* Until the order has come to an end; true if there is a certificate. */
static bool drive(struct order *o, struct transport *t, enum order_proof proof,
    const struct issue_hooks *hooks)
{
    for (;;) {
        switch (order_step(o, clock_monotonic_ms())) {
        case ORDER_WANTS_REQUEST:
            do_request(o, t);
            break;
        case ORDER_WANTS_PRESENT:
            do_present(o, proof, hooks);
            break;
        case ORDER_WANTS_WAIT:
            do_wait(o, hooks);
            break;
        case ORDER_IS_DONE:
            return true;
        case ORDER_HAS_FAILED:
            return false;
        }
    }
}

bool issue_certificate(struct transport *t, const struct order_config *config,
    const struct issue_hooks *hooks, struct pem *ret,
    struct failure *ret_failure)
{
    struct order *o = order_new(config, clock_monotonic_ms());
    bool is_done = false;

    if (o == NULL) {
        failure_set(ret_failure, AGENT_INTERNAL, "out of memory");
        return false;
    }
    is_done = drive(o, t, config->proof, hooks);
    hooks->withdraw(hooks->ctx);
    if (is_done) {
        *ret = order_certificate(o);
    } else {
        *ret_failure = *order_failure(o);
    }
    order_free(o);
    return is_done;
}

/* GET, and nothing but 200 will do. */
static bool get(struct transport *t, const char *url, struct acme_response *ret,
    struct failure *ret_failure)
{
    struct acme_request request = {.method = ACME_GET, .url = url};

    if (!transport_perform(t, &request, ret, ret_failure))
        return false;
    if (ret->status == 200)
        return true;
    failure_set(ret_failure,
        ret->status == 429 ? AGENT_RATE_LIMITED : AGENT_PROTOCOL,
        "%s: status %ld", url, ret->status);
    if (ret->retry_after_s > 0)
        ret_failure->retry_after_s = ret->retry_after_s;
    return false;
}

/* Where the CA answers for that certificate; "" if it offers nothing. */
static bool find_renewal_url(struct transport *t, const char *directory_url,
    const char *ari_id, char ret[ACME_URL_MAX], struct failure *ret_failure)
{
    struct acme_directory *directory = NULL;
    struct acme_response response;
    bool is_directory = false;

    if (!get(t, directory_url, &response, ret_failure))
        return false;
    directory = calloc(1, sizeof(*directory));
    is_directory =
        directory != NULL && document_directory(response.body, directory);
    ret[0] = '\0';
    if (is_directory && directory->renewal_info.text[0] != '\0' &&
        !text_format(
            ret, ACME_URL_MAX, "%s/%s", directory->renewal_info.text, ari_id))
        ret[0] = '\0';
    if (!is_directory)
        failure_set(ret_failure, AGENT_PROTOCOL, "not an ACME directory");
    free(directory);
    return is_directory;
}

bool issue_ask_renewal(struct transport *t, const char *directory_url,
    const char *ari_id, struct issue_renewal_info *ret,
    struct failure *ret_failure)
{
    struct acme_response response;
    char url[ACME_URL_MAX];

    if (!find_renewal_url(t, directory_url, ari_id, url, ret_failure))
        return false;
    ret->is_offered = url[0] != '\0';
    if (!ret->is_offered)
        return true;
    if (!get(t, url, &response, ret_failure))
        return false;
    if (!document_window(response.body, &ret->window)) {
        failure_set(ret_failure, AGENT_PROTOCOL, "%s: not renewalInfo", url);
        return false;
    }
    ret->retry_after_s = response.retry_after_s;
    return true;
}
