#include "push/credentials.h"

#include "base/text.h"
#include "made_key.h"

/* 64 bytes */
#define PROJECT_TOO_LONG                                                       \
    "0123456789012345678901234567890123456789012345678901234567890123"

static char *key_json;
static char document[16384];

static int set_up(void **state)
{
    EVP_PKEY *key = made_key();

    (void)state;
    key_json = made_key_json(key, NULL);
    EVP_PKEY_free(key);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(key_json);
    return 0;
}

static const char *with(const char *members)
{
    assert_true(text_format(document, sizeof(document),
        "{\"type\":\"service_account\",\"private_key\":\"%s\"%s}", key_json,
        members));
    return document;
}

static void what_it_holds(void **state)
{
    struct credentials c;

    (void)state;
    assert_true(credentials_read(
        with(",\"client_email\":\"p@x\",\"private_key_id\":\"k1\","
             "\"token_uri\":\"https://o.example/t\",\"project_id\":\"a-b\""),
        &c));
    assert_string_equal(c.email, "p@x");
    assert_string_equal(c.key_id, "k1");
    assert_string_equal(c.token_uri, "https://o.example/t");
    assert_string_equal(c.project, "a-b");
    assert_int_equal(EVP_PKEY_get_bits(c.key), 2048);
    credentials_done(&c);
    assert_null(c.key);
    assert_string_equal(c.email, "");
}

static void what_it_may_lack(void **state)
{
    struct credentials c;

    (void)state;
    assert_true(credentials_read(with(",\"client_email\":\"p@x\""), &c));
    assert_string_equal(c.key_id, "");
    assert_string_equal(c.token_uri, "https://oauth2.googleapis.com/token");
    assert_string_equal(c.project, "pyrycode-mobile");
    credentials_done(&c);
    assert_null(credentials_check(with(",\"client_email\":\"p@x\"")));
}

/* PKCS#1, and base64 without armour. */
static void other_forms_of_a_key(void **state)
{
    EVP_PKEY *key = made_key();
    unsigned char *der = NULL;
    int len = i2d_PrivateKey(key, &der);
    unsigned char *base64 = calloc(2, (size_t)len);
    struct credentials c;

    (void)state;
    assert_true(len > 0);
    assert_non_null(base64);
    assert_true(EVP_EncodeBlock(base64, der, len) > 0);
    assert_true(text_format(document, sizeof(document),
        "{\"type\":\"service_account\",\"client_email\":\"p\","
        "\"private_key\":\"%s\"}",
        (const char *)base64));
    assert_true(credentials_read(document, &c));
    assert_int_equal(EVP_PKEY_eq(c.key, key), 1);
    credentials_done(&c);
    OPENSSL_free(der);
    free(base64);
    EVP_PKEY_free(key);
}

static void refused(void **state)
{
    static const char *const members[] = {
        "",
        ",\"client_email\":\"\"",
        ",\"client_email\":1",
        ",\"client_email\":\"p\",\"type\":\"user\"",
        ",\"client_email\":\"p\",\"private_key\":\"none\"",
        ",\"client_email\":\"p\",\"token_uri\":\"http://o.example/t\"",
        ",\"client_email\":\"p\",\"token_uri\":\"https://\"",
        ",\"client_email\":\"p\",\"token_uri\":\"https://u:p@o.example/\"",
        ",\"client_email\":\"p\",\"token_uri\":\"https://o.example/ x\"",
        ",\"client_email\":\"p\",\"project_id\":\"a/b\"",
        ",\"client_email\":\"p\",\"project_id\":\"a?b\"",
        ",\"client_email\":\"p\",\"project_id\":\"" PROJECT_TOO_LONG "\"",
    };
    static const char *const documents[] = {
        "", "garbage", "[]", "{}", "{\"type\":\"service_account\"}"};
    struct credentials c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (credentials_read(with(members[i]), &c))
            fail_msg("case %zu is not refused", i);
    }
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        assert_string_equal(
            credentials_check(documents[i]), CREDENTIALS_REFUSED);
}

/* A key that signs in another way is of no use. */
static void no_rsa(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char *json = made_key_json(key, NULL);

    (void)state;
    assert_true(text_format(document, sizeof(document),
        "{\"type\":\"service_account\",\"client_email\":\"p\","
        "\"private_key\":\"%s\"}",
        json));
    assert_non_null(credentials_check(document));
    free(json);
    EVP_PKEY_free(key);
}

/* There is nobody to ask for its password. */
static void encrypted(void **state)
{
    EVP_PKEY *key = made_key();
    char *json = made_key_json(key, "password");

    (void)state;
    assert_non_null(strstr(json, "ENCRYPTED"));
    assert_true(text_format(document, sizeof(document),
        "{\"type\":\"service_account\",\"client_email\":\"p\","
        "\"private_key\":\"%s\"}",
        json));
    assert_non_null(credentials_check(document));
    free(json);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_holds),
        cmocka_unit_test(what_it_may_lack),
        cmocka_unit_test(other_forms_of_a_key),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_rsa),
        cmocka_unit_test(encrypted),
    };

    return cmocka_run_group_tests_name("credentials", tests, set_up, tear_down);
}
