#include "wire/envelope.h"

#include <string.h>

#include "cmocka_all.h"

static void statuses(void **state)
{
    const struct {
        struct span in;
        enum envelope_status want;
    } cases[] = {
        {LIT("{\"conn_id\":\"c\",\"frame\":1}"), ENVELOPE_ROUTE},
        {LIT("{\"CONN_ID\":\"c\",\"Frame\":1}"), ENVELOPE_ROUTE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":4401}"), ENVELOPE_ROUTE},
        {LIT("{\"conn_id\":\"c\",\"frame\":null,\"close_code\":1000}"),
            ENVELOPE_ROUTE},
        {LIT("{\"conn_id\":\"c\",\"frame\":1,\"close_code\":null}"),
            ENVELOPE_ROUTE},
        {LIT("{\"conn_id\":\"c\",\"frame\":1,\"push_wake\":{}}"),
            ENVELOPE_ROUTE},
        {LIT("{\"push_wake\":{}}"), ENVELOPE_PUSH_WAKE},
        {LIT("{\"conn_id\":\"\",\"push_wake\":1}"), ENVELOPE_PUSH_WAKE},
        {LIT("{\"conn_id\":null,\"push_wake\":1}"), ENVELOPE_PUSH_WAKE},
        {LIT(""), ENVELOPE_NOT_OBJECT},
        {LIT("[]"), ENVELOPE_NOT_OBJECT},
        {LIT("{\"conn_id\":\"c\",\"frame\":1} x"), ENVELOPE_NOT_OBJECT},
        {LIT("{\"conn_id\":\"c\",\"frame\":1"), ENVELOPE_NOT_OBJECT},
        {LIT("{\"conn_id\":1,\"frame\":1}"), ENVELOPE_BAD_CONN_ID},
        {LIT("{\"conn_id\":\"c\",\"close_code\":-1}"), ENVELOPE_BAD_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":1.5}"),
            ENVELOPE_BAD_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":1e3}"),
            ENVELOPE_BAD_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":65536}"),
            ENVELOPE_BAD_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":\"1\"}"),
            ENVELOPE_BAD_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":1005}"),
            ENVELOPE_ILLEGAL_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":999}"),
            ENVELOPE_ILLEGAL_CLOSE_CODE},
        {LIT("{\"conn_id\":\"c\",\"close_code\":65535}"),
            ENVELOPE_ILLEGAL_CLOSE_CODE},
        {LIT("{}"), ENVELOPE_NO_CONN_ID},
        {LIT("{\"conn_id\":\"\",\"frame\":1}"), ENVELOPE_NO_CONN_ID},
        {LIT("{\"conn_id\":\"c\"}"), ENVELOPE_NO_FRAME},
        {LIT("{\"conn_id\":\"c\",\"frame\":null,\"close_code\":0}"),
            ENVELOPE_NO_FRAME},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct envelope e;
        enum envelope_status got = envelope_parse(cases[i].in, &e);

        if (got != cases[i].want)
            fail_msg("case %zu: %s", i, envelope_text(got));
    }
}

static void the_frame_is_verbatim_and_the_last_one_wins(void **state)
{
    struct envelope e;

    (void)state;
    assert_int_equal(
        envelope_parse(
            LIT("{\"frame\":0,\"conn_id\":\"a\",\"frame\": { \"x\" : 1 } ,"
                "\"conn_id\":\"b\\u0063\",\"close_code\":4000}"),
            &e),
        ENVELOPE_ROUTE);
    assert_span(e.frame, LIT("{ \"x\" : 1 }"));
    assert_int_equal(e.close_code, 4000);
    assert_true(envelope_names(&e, LIT("bc")));
    assert_false(envelope_names(&e, LIT("a")));
}

static void no_text_holds_a_peers_bytes(void **state)
{
    struct envelope e;

    (void)state;
    assert_null(
        strstr(envelope_text(envelope_parse(LIT("{\"conn_id\":secret}"), &e)),
            "secret"));
}

static void prefix_and_notice(void **state)
{
    uint8_t out[80];
    size_t len = envelope_prefix(LIT("a\"b"), out, sizeof(out));

    (void)state;
    assert_span(span_of(out, len), LIT("{\"conn_id\":\"a\\\"b\",\"frame\":"));
    assert_int_equal(envelope_prefix(LIT("a\"b"), NULL, 0), len);
    len = envelope_close_notice(LIT("c"), 1001, out, sizeof(out));
    assert_span(
        span_of(out, len), LIT("{\"conn_id\":\"c\",\"close_code\":1001}"));
    assert_int_equal(envelope_close_notice(LIT("c"), 1001, out, 3), len);
}

/* The short way and the long one agree; what the short one leaves, the long
 * one still judges. */
static void unwraps_what_binaries_mostly_send(void **state)
{
    const struct span prefix = LIT("{\"conn_id\":\"p-1\",\"frame\":");
    const struct {
        struct span in;
        struct span frame; /* len 0: not that way */
    } cases[] = {
        {LIT("{\"conn_id\":\"p-1\",\"frame\":1}"), LIT("1")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\": {\"a\":[]} }"),
            LIT("{\"a\":[]}")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":\"\xc3\xa4\"}"),
            LIT("\"\xc3\xa4\"")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":null}"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":1} "), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":1,\"x\":1}"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":1}}"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":1"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":}"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":\"\xff\"}"), LIT("")},
        {LIT("{\"conn_id\":\"p-2\",\"frame\":1}"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame\":"), LIT("")},
        {LIT("{\"conn_id\":\"p-1\",\"frame"), LIT("")},
        {LIT(""), LIT("")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span frame = LIT("");
        struct envelope e;
        bool unwrapped = envelope_unwrap(cases[i].in, prefix, &frame);

        if (unwrapped != (cases[i].frame.len > 0))
            fail_msg("case %zu", i);
        if (!unwrapped)
            continue;
        assert_span(frame, cases[i].frame);
        assert_int_equal(envelope_parse(cases[i].in, &e), ENVELOPE_ROUTE);
        assert_span(e.frame, cases[i].frame);
        assert_int_equal(e.close_code, 0);
        assert_true(envelope_names(&e, LIT("p-1")));
    }
}

RUN_TESTS("envelope", cmocka_unit_test(unwraps_what_binaries_mostly_send),
    cmocka_unit_test(statuses),
    cmocka_unit_test(the_frame_is_verbatim_and_the_last_one_wins),
    cmocka_unit_test(no_text_holds_a_peers_bytes),
    cmocka_unit_test(prefix_and_notice));
