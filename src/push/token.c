#include "push/token.h"

#include <jansson.h>
#include <string.h>

/* It becomes a header field's value: RFC 6750 section 2.1, b64token, and what
 * Google puts between. */
static bool is_token(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > TOKEN_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

/* How long it is good, in ms from now on. */
static uint64_t read_lifetime_ms(const json_t *object)
{
    const json_t *value = json_object_get(object, "expires_in");
    json_int_t seconds =
        json_is_integer(value) ? json_integer_value(value) : TOKEN_LIFETIME_S;

    if (seconds < 0)
        seconds = 0;
    if (seconds > TOKEN_LIFETIME_MAX_S)
        seconds = TOKEN_LIFETIME_MAX_S;
    return (uint64_t)seconds * 1000;
}

bool token_take(struct token *token, struct span answer, uint64_t now_ms)
{
    json_t *object = json_loadb((const char *)answer.ptr, answer.len, 0, NULL);
    const char *text =
        json_string_value(json_object_get(object, "access_token"));
    bool is_good = text != NULL && is_token(text);

    if (is_good) {
        memcpy(token->text, text, strlen(text) + 1);
        token->until_ms = now_ms + read_lifetime_ms(object);
        token->serial++;
    }
    json_decref(object);
    return is_good;
}

bool token_is_good(const struct token *token, uint64_t now_ms)
{
    return token->text[0] != '\0' && now_ms + TOKEN_MARGIN_MS < token->until_ms;
}

void token_drop(struct token *token)
{
    explicit_bzero(token->text, sizeof(token->text));
    token->until_ms = 0;
}
