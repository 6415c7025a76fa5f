#include "relay/challenges.h"

#include "base/text.h"

#define PREFIX "/.well-known/acme-challenge/"

static size_t find(const struct challenges *challenges, struct span token)
{
    size_t i = 0;

    while (i < CHALLENGES_MAX &&
           !span_eq(span_str(challenges->list[i].token), token))
        i++;
    return i;
}

bool challenges_add(
    struct challenges *challenges, const char *token, const char *authorization)
{
    size_t at = find(challenges, span_str(token));

    if (token[0] == '\0' || strlen(token) > CHALLENGE_TOKEN_MAX ||
        strlen(authorization) > CHALLENGE_AUTHORIZATION_MAX)
        return false;
    if (at == CHALLENGES_MAX)
        at = find(challenges, span_str("")); /* a free place */
    if (at == CHALLENGES_MAX)
        return false;
    return text_format(challenges->list[at].token,
               sizeof(challenges->list[at].token), "%s", token) &&
           text_format(challenges->list[at].authorization,
               sizeof(challenges->list[at].authorization), "%s", authorization);
}

void challenges_remove(struct challenges *challenges, const char *token)
{
    size_t at = find(challenges, span_str(token));

    if (at < CHALLENGES_MAX)
        challenges->list[at].token[0] = '\0';
}

void challenges_clear(struct challenges *challenges)
{
    for (size_t i = 0; i < CHALLENGES_MAX; i++)
        challenges->list[i].token[0] = '\0';
}

/* The token that the path asks for; empty: none. */
static struct span token_of(const struct http_head *head)
{
    size_t len = strlen(PREFIX);
    bool reads = span_eq(head->method, span_str("GET")) ||
                 span_eq(head->method, span_str("HEAD"));

    if (!reads || head->path.len <= len ||
        memcmp(head->path.ptr, PREFIX, len) != 0)
        return span_of("", 0);
    return span_from(head->path, len);
}

unsigned challenges_answer(const struct challenges *challenges,
    const char *domain, const struct http_head *head, struct span *ret)
{
    struct span token = token_of(head);
    size_t at = CHALLENGES_MAX;

    if (token.len == 0)
        return 404;
    if (!http_name_is(http_head_get(head, "Host"), domain))
        return 403;
    at = find(challenges, token);
    if (at == CHALLENGES_MAX)
        return 404;
    *ret = span_str(challenges->list[at].authorization);
    return 200;
}
