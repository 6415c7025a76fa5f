#include "push/jwt.h"

#include <jansson.h>

#include "made_key.h"

static EVP_PKEY *key;
static char buf[JWT_MAX];

static int set_up(void **state)
{
    (void)state;
    key = made_key();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

/* base64url as the library's base64; bytes written. */
static size_t decode(struct span in, uint8_t *ret)
{
    static char text[JWT_MAX];
    size_t len = in.len;
    size_t padding = (4 - in.len % 4) % 4;

    memcpy(text, in.ptr, in.len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-')
            text[i] = '+';
        if (text[i] == '_')
            text[i] = '/';
    }
    for (size_t i = 0; i < padding; i++)
        text[len++] = '=';
    return (size_t)EVP_DecodeBlock(ret, (const unsigned char *)text, (int)len) -
           padding;
}

static json_t *decode_json(struct span in)
{
    static uint8_t bytes[JWT_MAX];
    size_t len = decode(in, bytes);
    json_t *object = json_loadb((const char *)bytes, len, 0, NULL);

    assert_true(json_is_object(object));
    return object;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void signed_claims(void **state)
{
    const struct credentials account = {.key = key,
        .email = "push@project.example",
        .key_id = "key \"1\"",
        .token_uri = "https://oauth.example/token"};
    struct text t = text_over(buf, sizeof(buf));
    struct span rest;
    struct span parts[3];
    uint8_t signature[512];
    size_t len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)state;
    text_add_str(&t, "assertion=");
    assert_true(jwt_sign(&account, 1700000000, &t));
    assert_memory_equal(buf, "assertion=", 10);
    rest = span_from(span_of(buf, t.len), 10);
    for (size_t i = 0; i < 3; i++)
        parts[i] = span_take_until(&rest, '.');
    assert_int_equal(rest.len, 0);

    json_t *head = decode_json(parts[0]);

    assert_string_equal(text_of(head, "alg"), "RS256");
    assert_string_equal(text_of(head, "typ"), "JWT");
    assert_string_equal(text_of(head, "kid"), "key \"1\"");
    json_decref(head);

    json_t *claims = decode_json(parts[1]);

    assert_string_equal(text_of(claims, "iss"), "push@project.example");
    assert_string_equal(text_of(claims, "aud"), "https://oauth.example/token");
    assert_string_equal(text_of(claims, "scope"),
        "https://www.googleapis.com/auth/firebase.messaging");
    assert_int_equal(
        json_integer_value(json_object_get(claims, "iat")), 1700000000);
    assert_int_equal(
        json_integer_value(json_object_get(claims, "exp")), 1700003600);
    json_decref(claims);

    len = decode(parts[2], signature);
    assert_int_equal(len, 256);
    assert_int_equal(
        EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, signature, len, parts[0].ptr,
                         parts[0].len + 1 + parts[1].len),
        1);
    signature[7] ^= 1;
    assert_int_not_equal(EVP_DigestVerify(ctx, signature, len, parts[0].ptr,
                             parts[0].len + 1 + parts[1].len),
        1);
    EVP_MD_CTX_free(ctx);
}

static void without_a_key_id(void **state)
{
    const struct credentials account = {.key = key, .email = "p"};
    struct text t = text_over(buf, sizeof(buf));
    struct span rest;

    (void)state;
    assert_true(jwt_sign(&account, 1, &t));
    rest = span_of(buf, t.len);

    json_t *head = decode_json(span_take_until(&rest, '.'));

    assert_null(json_object_get(head, "kid"));
    json_decref(head);
}

/* The longest texts fit, and no capacity below what is needed does. */
static void room(void **state)
{
    struct credentials account = {.key = key};
    struct text t = text_over(buf, sizeof(buf));
    size_t need = 0;

    (void)state;
    memset(account.email, 'e', sizeof(account.email) - 1);
    memset(account.key_id, '"', sizeof(account.key_id) - 1);
    memset(account.token_uri, 'u', sizeof(account.token_uri) - 1);
    assert_true(jwt_sign(&account, INT64_MAX - JWT_LIFETIME_S, &t));
    need = t.len + 1;
    for (size_t cap = 1; cap < need; cap += 97) {
        t = text_over(buf, cap);
        assert_false(jwt_sign(&account, 1, &t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_claims),
        cmocka_unit_test(without_a_key_id),
        cmocka_unit_test(room),
    };

    return cmocka_run_group_tests_name("jwt", tests, set_up, tear_down);
}
