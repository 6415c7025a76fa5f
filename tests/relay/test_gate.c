#include "relay/gate.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "relay/limits.h"

static struct http_head head;
static struct gate_admission who;

static const struct http_head *with(const char *path, const char *fields)
{
    static char text[2048];

    (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n",
        path, fields);
    assert_int_equal(http_head_parse(span_str(text), 4096, &head), HTTP_OK);
    return &head;
}

static void routes(void **state)
{
    (void)state;
    assert_int_equal(gate_route(with("/healthz", "")), GATE_HEALTHZ);
    assert_int_equal(gate_route(with("/healthz?x", "")), GATE_HEALTHZ);
    assert_int_equal(gate_route(with("/metrics", "")), GATE_METRICS);
    assert_int_equal(gate_route(with("/v1/server", "")), GATE_SERVER);
    assert_int_equal(gate_route(with("/v1/client", "")), GATE_CLIENT);
    assert_int_equal(gate_route(with("/v1/client/", "")), GATE_UNKNOWN);
    assert_int_equal(gate_route(with("/V1/client", "")), GATE_UNKNOWN);
    assert_int_equal(gate_route(with("/", "")), GATE_PAGE);
}

static bool admits(const struct http_head *request, enum gate_route route)
{
    static const struct gate_limits limits = {
        .server_id_max = LIMIT_SERVER_ID_BYTES,
        .device_name_max = LIMIT_DEVICE_NAME_BYTES,
    };

    return gate_judge(request, route, &limits, &who) == GATE_ADMITTED;
}

static void required_headers(void **state)
{
    (void)state;
    assert_true(admits(with("/", "X-Pyrycode-Server: s\r\nX-Pyrycode-Version: "
                                 "1\r\nUser-Agent: u\r\n"),
        GATE_SERVER));
    assert_span(who.server_id, LIT("s"));
    assert_span(who.version, LIT("1"));
    assert_false(admits(&head, GATE_CLIENT));
    assert_true(admits(
        with("/", "X-Pyrycode-Server: s\r\nX-Pyrycode-Token: t\r\nUser-Agent: "
                  "u\r\nX-Pyrycode-Device-Name: my phone\r\n"),
        GATE_CLIENT));
    assert_span(who.device_name, LIT("my phone"));
    assert_false(admits(&head, GATE_SERVER));
    assert_false(admits(
        with("/",
            "X-Pyrycode-Server: \r\nX-Pyrycode-Token: t\r\nUser-Agent: u\r\n"),
        GATE_CLIENT));
    assert_false(
        admits(with("/", "X-Pyrycode-Server: s\r\nX-Pyrycode-Token: t\r\n"),
            GATE_CLIENT));
}

static void server_id_is_short_text(void **state)
{
    char fields[512];
    char id[300];

    (void)state;
    for (int len = 255; len <= 257; len++) {
        memset(id, 'a', (size_t)len);
        id[len] = '\0';
        (void)snprintf(fields, sizeof(fields),
            "X-Pyrycode-Server: %s\r\nX-Pyrycode-Token: t\r\nUser-Agent: u\r\n",
            id);
        assert_int_equal(admits(with("/", fields), GATE_CLIENT), len <= 256);
    }
    assert_false(
        admits(with("/", "X-Pyrycode-Server: \xff\r\nX-Pyrycode-Token: "
                         "t\r\nUser-Agent: u\r\n"),
            GATE_CLIENT));
}

static void a_long_device_name_is_shortened(void **state)
{
    char fields[800];
    char name[601];

    (void)state;
    for (size_t i = 0; i < 600; i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    name[600] = '\0';
    (void)snprintf(fields, sizeof(fields),
        "X-Pyrycode-Server: s\r\nX-Pyrycode-Token: t\r\nUser-Agent: "
        "u\r\nX-Pyrycode-Device-Name: x%s\r\n",
        name);
    assert_true(admits(with("/", fields), GATE_CLIENT));
    assert_int_equal(who.device_name.len, 255); /* x and 127 characters */
    assert_true(who.device_name_cut);
}

static enum gate_verdict judge(const char *id, size_t id_max)
{
    const struct gate_limits limits = {
        .server_id_max = id_max, .device_name_max = 4};
    char fields[512];

    (void)snprintf(fields, sizeof(fields),
        "X-Pyrycode-Server: %s\r\nX-Pyrycode-Token: t\r\nUser-Agent: u\r\n"
        "X-Pyrycode-Device-Name: n\xc3\xa4\tme\r\n",
        id);
    return gate_judge(with("/", fields), GATE_CLIENT, &limits, &who);
}

static void says_which_refusal_it_is(void **state)
{
    (void)state;
    memset(&who, 0, sizeof(who));
    assert_int_equal(judge("", 8), GATE_HEADER_MISSING);
    assert_int_equal(judge("123456789", 8), GATE_ID_TOO_LONG);
    assert_int_equal(judge("a\tb", 8), GATE_ID_NO_TEXT);
    assert_int_equal(judge("a\xc2\x85", 8), GATE_ID_NO_TEXT);
    assert_int_equal(judge("\xc2\x80", 8), GATE_ID_NO_TEXT);
    assert_int_equal(judge("\xe2\x82", 8), GATE_ID_NO_TEXT);
    assert_int_equal(judge("\xff", 8), GATE_ID_NO_TEXT);
    assert_int_equal(judge("\t\xff 56789", 4), GATE_ID_TOO_LONG);
    assert_null(who.server_id.ptr);
    assert_int_equal(judge("12345678", 8), GATE_ADMITTED);
    assert_span(who.server_id, LIT("12345678"));
    /* Three bytes of the name's first two characters, and a tab. */
    assert_span(who.device_name, LIT("n\xc3\xa4\t"));
    assert_int_equal(judge("a \xe2\x82\xac b", 8), GATE_ADMITTED);
    /* A no-break space, and a line separator: no controls. */
    assert_int_equal(judge("\xc2\xa0\xe2\x80\xa8", 8), GATE_ADMITTED);
    for (int i = 0; i < GATE_VERDICT_COUNT; i++)
        assert_true(gate_verdict_text((enum gate_verdict)i)[0] != '\0');
}

static void whose_host_it_is(void **state)
{
    static const struct {
        const char *host;
        bool ours;
    } cases[] = {
        {"relay.example.com", true},
        {"RELAY.Example.com", true},
        {"relay.example.com:443", true},
        {"relay.example.com:", true},
        {"relay.example.com.", false},
        {"relay.example.co", false},
        {"relay.example.comm", false},
        {"x.relay.example.com", false},
        {"127.0.0.1", false},
        {"[::1]:443", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[128];

        (void)snprintf(request, sizeof(request),
            "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host);
        assert_int_equal(
            http_head_parse(span_str(request), sizeof(request), &head),
            HTTP_OK);
        assert_int_equal(
            gate_is_host(&head, "relay.example.com"), cases[i].ours);
    }
}

RUN_TESTS("gate", cmocka_unit_test(whose_host_it_is), cmocka_unit_test(routes),
    cmocka_unit_test(required_headers),
    cmocka_unit_test(server_id_is_short_text),
    cmocka_unit_test(a_long_device_name_is_shortened),
    cmocka_unit_test(says_which_refusal_it_is));
