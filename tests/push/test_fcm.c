#include "push/fcm.h"

#include "cmocka_all.h"

#define FCM_ERROR                                                              \
    "\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\""

static void where_to(void **state)
{
    char url[FCM_URL_MAX];
    char long_host[FCM_URL_MAX];

    (void)state;
    assert_true(fcm_url(FCM_ENDPOINT, "pyrycode-mobile", url));
    assert_string_equal(url, "https://fcm.googleapis.com/v1/projects/"
                             "pyrycode-mobile/messages:send");
    memset(long_host, 'h', sizeof(long_host) - 1);
    long_host[sizeof(long_host) - 1] = '\0';
    assert_false(fcm_url(long_host, "p", url));
}

static void what_is_sent(void **state)
{
    static const struct {
        struct span token;
        const char *want;
    } cases[] = {
        {{(const uint8_t *)"ab:C_-1", 7},
            "{\"message\":{\"token\":\"ab:C_-1\","
            "\"android\":{\"priority\":\"HIGH\"}}}"},
        {{(const uint8_t *)"\"\\\n\0", 4},
            "{\"message\":{\"token\":\"\\\"\\\\\\n\\u0000\","
            "\"android\":{\"priority\":\"HIGH\"}}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static char buf[FCM_BODY_MAX];
        struct text t = text_over(buf, sizeof(buf));

        assert_true(fcm_body(cases[i].token, &t));
        assert_string_equal(buf, cases[i].want);
    }
}

/* Every byte of the longest token may need an escape. */
static void the_longest_token(void **state)
{
    static char buf[FCM_BODY_MAX];
    static uint8_t token[PUSH_TOKEN_MAX];
    struct text t = text_over(buf, sizeof(buf));

    (void)state;
    memset(token, 1, sizeof(token));
    assert_true(fcm_body(span_of(token, sizeof(token)), &t));
    assert_true(t.len > (size_t)6 * PUSH_TOKEN_MAX);
}

static void ids_that_are_fit_for_a_log(void **state)
{
    static const struct {
        const char *answer;
        const char *want;
    } cases[] = {
        {"{\"name\":\"projects/p/messages/0:1-a_B%25\"}",
            "projects/p/messages/0:1-a_B%25"},
        {"{\"name\":\"\"}", ""},
        {"{\"name\":\"a b\"}", ""},
        {"{\"name\":\"a\\nmsg=x\"}", ""},
        {"{\"name\":\"\\u00e4\"}", ""},
        {"{\"name\":1}", ""},
        {"{}", ""},
        {"[]", ""},
        {"", ""},
        {"{\"name\":\"cut", ""},
    };
    char got[FCM_ID_MAX + 1];
    char answer[400];
    char name[FCM_ID_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fcm_message_id(span_str(cases[i].answer), got);
        assert_string_equal(got, cases[i].want);
    }
    for (size_t len = FCM_ID_MAX; len <= FCM_ID_MAX + 1; len++) {
        memset(name, 'x', len);
        name[len] = '\0';
        assert_true(
            text_format(answer, sizeof(answer), "{\"name\":\"%s\"}", name));
        fcm_message_id(span_str(answer), got);
        assert_int_equal(strlen(got), len == FCM_ID_MAX ? len : 0);
    }
}

static void failures(void **state)
{
    static const struct {
        long status;
        const char *answer;
        enum push_outcome outcome;
        const char *details;
    } cases[] = {
        {404,
            "{\"error\":{\"status\":\"NOT_FOUND\",\"details\":[{" FCM_ERROR
            ",\"errorCode\":\"UNREGISTERED\"}]}}",
            PUSH_UNREGISTERED, "404 (NOT_FOUND, UNREGISTERED)"},
        {403,
            "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"details\":[{"
            "\"@type\":\"x\",\"errorCode\":\"UNREGISTERED\"},{" FCM_ERROR
            ",\"errorCode\":\"SENDER_ID_MISMATCH\"}]}}",
            PUSH_SEND_FAILED, "403 (PERMISSION_DENIED, SENDER_ID_MISMATCH)"},
        {400, "{\"error\":{\"status\":\"INVALID_ARGUMENT\"}}", PUSH_SEND_FAILED,
            "400 (INVALID_ARGUMENT)"},
        {404,
            "{\"error\":{\"details\":[{" FCM_ERROR
            ",\"errorCode\":\"UNREGISTERED\"}]}}",
            PUSH_UNREGISTERED, "404 (UNREGISTERED)"},
        {404, "{\"error\":{\"status\":\"UNREGISTERED\"}}", PUSH_SEND_FAILED,
            "404 (UNREGISTERED)"},
        {500, "{\"error\":{\"status\":\"a secret\"}}", PUSH_SEND_FAILED, "500"},
        {500,
            "{\"error\":{\"status\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            "AAAAAAAAAAAAAAAAAAAAAAAAA\"}}",
            PUSH_SEND_FAILED, "500"},
        {302, "", PUSH_SEND_FAILED, "302"},
        {404, "<html>UNREGISTERED</html>", PUSH_SEND_FAILED, "404"},
        {404, "{\"error\":{\"details\":7}}", PUSH_SEND_FAILED, "404"},
        {404, "{\"error\":\"NOT_FOUND\"}", PUSH_SEND_FAILED, "404"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[PUSH_TEXT_MAX + 1];
        char want[PUSH_TEXT_MAX + 1];
        struct text t = text_over(buf, sizeof(buf));

        assert_true(text_format(want, sizeof(want),
            "relay: fcm send failed: status %s", cases[i].details));
        assert_int_equal(
            fcm_failure(cases[i].status, span_str(cases[i].answer), &t),
            cases[i].outcome);
        assert_string_equal(buf, want);
    }
}

RUN_TESTS("fcm", cmocka_unit_test(where_to), cmocka_unit_test(what_is_sent),
    cmocka_unit_test(the_longest_token),
    cmocka_unit_test(ids_that_are_fit_for_a_log), cmocka_unit_test(failures));
