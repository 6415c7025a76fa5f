#include "acme/order_part.h"

#include <assert.h>

#include "acme/jws.h"
#include "acme/request.h"
#include "base/base64url.h"

static bool ask_plain(struct order *o, enum acme_method method, const char *url)
{
    o->request = (struct acme_request){.method = method, .url = url};
    return true;
}

/* A signed request; the text is the payload, "" for POST-as-GET. */
static bool ask_signed(struct order *o, const char *url, struct span payload)
{
    const char *kid = o->account_url.text;
    struct jws_head head = {
        .url = url, .nonce = o->nonce, .kid = kid[0] == '\0' ? NULL : kid};
    struct text t = text_over(o->body, sizeof(o->body));

    if (!jws_sign(o->config.account, &head, payload, &t))
        return false;
    o->nonce[0] = '\0';
    o->request = (struct acme_request){
        .method = ACME_POST, .url = url, .body = span_of(o->body, t.len)};
    return true;
}

bool order_ask_directory(struct order *o)
{
    return ask_plain(o, ACME_GET, o->config.directory_url);
}

bool order_ask_nonce(struct order *o)
{
    return ask_plain(o, ACME_HEAD, o->directory.new_nonce.text);
}

/* A known key gets its old account, RFC 8555 section 7.3.1. */
bool order_ask_account(struct order *o)
{
    struct text t = text_over(o->payload, sizeof(o->payload));

    o->account_url.text[0] = '\0';
    text_add_str(&t, "{\"termsOfServiceAgreed\":true");
    if (o->config.email != NULL)
        text_addf(&t, ",\"contact\":[\"mailto:%s\"]", o->config.email);
    text_add_char(&t, '}');
    return !t.cut && ask_signed(o, o->directory.new_account.text,
                         span_of(o->payload, t.len));
}

bool order_wants_replaces(const struct order *o)
{
    return o->config.replaces != NULL && !o->skip_replaces &&
           o->directory.renewal_info.text[0] != '\0';
}

bool order_ask_new(struct order *o)
{
    struct text t = text_over(o->payload, sizeof(o->payload));

    text_addf(&t, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]",
        o->config.domain);
    if (order_wants_replaces(o))
        text_addf(&t, ",\"replaces\":\"%s\"", o->config.replaces);
    text_add_char(&t, '}');
    return !t.cut && ask_signed(o, o->directory.new_order.text,
                         span_of(o->payload, t.len));
}

bool order_ask_authorization(struct order *o)
{
    assert(o->authz_at < o->order.authz_count);
    return ask_signed(o, o->order.authz[o->authz_at].text, span_of(NULL, 0));
}

bool order_ask_validation(struct order *o)
{
    return ask_signed(o, o->challenge_url.text, span_str("{}"));
}

bool order_ask_order(struct order *o)
{
    return ask_signed(o, o->order_url.text, span_of(NULL, 0));
}

bool order_ask_finalize(struct order *o)
{
    uint8_t der[REQUEST_DER_MAX];
    struct text t = text_over(o->payload, sizeof(o->payload));
    size_t len = 0;

    if (o->leaf == NULL)
        o->leaf = pem_new_key();
    if (o->leaf == NULL)
        return false;
    len = request_write(o->leaf, o->config.domain, der);
    if (len == 0)
        return false;
    text_add_str(&t, "{\"csr\":\"");
    base64url_add(&t, span_of(der, len));
    text_add_str(&t, "\"}");
    return !t.cut &&
           ask_signed(o, o->order.finalize.text, span_of(o->payload, t.len));
}

bool order_ask_certificate(struct order *o)
{
    return ask_signed(o, o->order.certificate.text, span_of(NULL, 0));
}
