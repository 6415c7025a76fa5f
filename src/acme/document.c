#include "acme/document.h"

#include <jansson.h>
#include <string.h>

#include "acme/timestamp.h"
#include "base/text.h"
#include "base/utf8.h"

static void release(json_t **object)
{
    json_decref(*object);
}

#define OWNED_JSON CLEANUP(release) json_t

/* One object, duplicate names refused, or NULL. */
static json_t *read_object(struct span body)
{
    json_t *root = json_loadb(
        (const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

/* Copy what fits, whole characters only. */
static void copy_words(char *ret, size_t cap, const char *text)
{
    struct span in = span_str(text);

    in.len = utf8_floor(in, cap - 1 < in.len ? cap - 1 : in.len);
    memcpy(ret, in.ptr, in.len);
    ret[in.len] = '\0';
}

bool document_is_url(const char *text)
{
    static const char scheme[] = "https://";
    size_t len = strlen(text);

    if (len < sizeof(scheme) || len >= ACME_URL_MAX ||
        memcmp(text, scheme, sizeof(scheme) - 1) != 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        /* an '@' could hide another host, or carry a password */
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\<>@", text[i]))
            return false;
    }
    return true;
}

static bool read_url(const char *text, struct acme_url *ret)
{
    if (!document_is_url(text))
        return false;
    memcpy(ret->text, text, strlen(text) + 1);
    return true;
}

/* Absent is well, malformed is not. */
static bool read_optional_url(
    const json_t *object, const char *name, struct acme_url *ret)
{
    const char *text = text_of(object, name);

    ret->text[0] = '\0';
    return text[0] == '\0' || read_url(text, ret);
}

static enum acme_status read_status(const json_t *object)
{
    static const char *const names[] = {
        [ACME_PENDING] = "pending",
        [ACME_READY] = "ready",
        [ACME_PROCESSING] = "processing",
        [ACME_VALID] = "valid",
    };
    const char *text = text_of(object, "status");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0)
            return (enum acme_status)i;
    }
    return ACME_INVALID;
}

bool document_directory(struct span body, struct acme_directory *ret)
{
    OWNED_JSON *root = read_object(body);

    return root != NULL &&
           read_url(text_of(root, "newNonce"), &ret->new_nonce) &&
           read_url(text_of(root, "newAccount"), &ret->new_account) &&
           read_url(text_of(root, "newOrder"), &ret->new_order) &&
           read_optional_url(root, "renewalInfo", &ret->renewal_info);
}

/* The problem itself; sub-problems add their words, RFC 8555 section 6.7.1. */
static void read_problem(const json_t *object, struct acme_problem *ret)
{
    static const char urn[] = "urn:ietf:params:acme:error:";
    const char *type = text_of(object, "type");
    const json_t *subs = json_object_get(object, "subproblems");
    char words[2 * sizeof(ret->text)];
    struct text t = text_over(words, sizeof(words));

    ret->type[0] = '\0';
    if (strncmp(type, urn, sizeof(urn) - 1) == 0)
        copy_words(ret->type, sizeof(ret->type), type + sizeof(urn) - 1);
    text_add_str(&t, text_of(object, "detail"));
    for (size_t i = 0; i < json_array_size(subs) && !t.cut; i++) {
        text_add_str(&t, "; ");
        text_add_str(&t, text_of(json_array_get(subs, i), "detail"));
    }
    copy_words(ret->text, sizeof(ret->text), words);
}

bool document_problem(struct span body, struct acme_problem *ret)
{
    OWNED_JSON *root = read_object(body);

    ret->type[0] = '\0';
    ret->text[0] = '\0';
    if (root == NULL || text_of(root, "type")[0] == '\0')
        return false;
    read_problem(root, ret);
    return true;
}

bool document_order(struct span body, struct acme_order *ret)
{
    OWNED_JSON *root = read_object(body);
    const json_t *urls = json_object_get(root, "authorizations");

    if (root == NULL)
        return false;
    ret->status = read_status(root);
    read_problem(json_object_get(root, "error"), &ret->problem);
    ret->authz_count = json_array_size(urls);
    if (ret->authz_count == 0 || ret->authz_count > ACME_AUTHZ_MAX)
        return false;
    for (size_t i = 0; i < ret->authz_count; i++) {
        const char *text = json_string_value(json_array_get(urls, i));

        if (text == NULL || !read_url(text, &ret->authz[i]))
            return false;
    }
    return read_url(text_of(root, "finalize"), &ret->finalize) &&
           read_optional_url(root, "certificate", &ret->certificate);
}

/* base64url characters: it becomes a path and a part of a message. */
static bool is_token(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return len > 0 && len <= AGENT_TOKEN_MAX;
}

static bool read_challenge(const json_t *object, struct acme_challenge *ret)
{
    const char *token = text_of(object, "token");

    if (!is_token(token) || !read_url(text_of(object, "url"), &ret->url))
        return false;
    memcpy(ret->token, token, strlen(token) + 1);
    return true;
}

/* A challenge that is not of ours is passed over, RFC 8555 section 8. */
static bool take_challenge(const json_t *object, struct acme_authz *ret)
{
    const char *type = text_of(object, "type");
    const json_t *error = json_object_get(object, "error");

    if (json_is_object(error) && ret->problem.text[0] == '\0')
        read_problem(error, &ret->problem);
    if (strcmp(type, "http-01") == 0)
        return read_challenge(object, &ret->http);
    if (strcmp(type, "tls-alpn-01") == 0)
        return read_challenge(object, &ret->tls);
    return true;
}

bool document_authz(struct span body, struct acme_authz *ret)
{
    OWNED_JSON *root = read_object(body);
    const json_t *list = json_object_get(root, "challenges");
    const char *domain = text_of(json_object_get(root, "identifier"), "value");

    if (root == NULL || domain[0] == '\0' || strlen(domain) > AGENT_NAME_MAX)
        return false;
    *ret = (struct acme_authz){.status = read_status(root)};
    memcpy(ret->domain, domain, strlen(domain) + 1);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!take_challenge(json_array_get(list, i), ret))
            return false;
    }
    return true;
}

bool document_window(struct span body, struct acme_window *ret)
{
    OWNED_JSON *root = read_object(body);
    const json_t *window = json_object_get(root, "suggestedWindow");

    if (root == NULL ||
        !timestamp_parse(span_str(text_of(window, "start")), &ret->start_s) ||
        !timestamp_parse(span_str(text_of(window, "end")), &ret->end_s) ||
        ret->start_s >= ret->end_s)
        return false;
    copy_words(ret->why, sizeof(ret->why), text_of(root, "explanationURL"));
    return true;
}
