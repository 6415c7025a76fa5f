#include "wire/take_over_message.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static const uint8_t all_kinds[] = {TAKE_OVER_PUBLIC, TAKE_OVER_PUBLIC,
    TAKE_OVER_METRICS, TAKE_OVER_CHALLENGES, TAKE_OVER_PATH, TAKE_OVER_LOCK};

static const struct take_over_message samples[] = {
    {.type = TAKE_OVER_ASK, .version = {(const uint8_t *)"1.0.0", 5}},
    {.type = TAKE_OVER_READY},
    {.type = TAKE_OVER_OFFER,
        .version = {(const uint8_t *)"0.9-3-gabc", 10},
        .kinds = {all_kinds, sizeof(all_kinds)}},
    {.type = TAKE_OVER_YIELDED},
    {.type = TAKE_OVER_REFUSED, .refusal = TAKE_OVER_TOO_LATE},
};

static enum take_over_direction direction_of(enum take_over_type type)
{
    return type < TAKE_OVER_OFFER ? TAKE_OVER_TO_GIVER : TAKE_OVER_TO_TAKER;
}

/* Parse a copy that ends where its heap block does. */
static enum take_over_status parse(
    struct span in, enum take_over_direction direction)
{
    uint8_t *exact = malloc(in.len + (in.len == 0));
    enum take_over_status status = TAKE_OVER_OK;
    struct take_over_message message;

    assert_non_null(exact);
    if (in.len > 0)
        memcpy(exact, in.ptr, in.len);
    status =
        take_over_message_parse(span_of(exact, in.len), direction, &message);
    free(exact);
    return status;
}

static void there_and_back(void **state)
{
    uint8_t buf[TAKE_OVER_MESSAGE_MAX];

    (void)state;
    assert_int_equal(ARRAY_LEN(samples), TAKE_OVER_TYPE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct take_over_message *want = &samples[i];
        size_t len = take_over_message_encode(want, buf);
        struct take_over_message got;

        assert_int_equal(want->type, i);
        assert_true(len >= 4);
        assert_int_equal(take_over_message_parse(
                             span_of(buf, len), direction_of(want->type), &got),
            TAKE_OVER_OK);
        assert_int_equal(got.type, want->type);
        assert_int_equal(got.refusal, want->refusal);
        assert_span(got.version, want->version);
        assert_span(got.kinds, want->kinds);
    }
}

/* No message goes both ways, and what is cut or longer is another or none. */
static void directions_and_lengths(void **state)
{
    uint8_t buf[TAKE_OVER_MESSAGE_MAX + 1] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        enum take_over_direction direction = direction_of(samples[i].type);
        size_t len = take_over_message_encode(&samples[i], buf);

        assert_int_equal(
            parse(span_of(buf, len), TAKE_OVER_TO_TAKER - direction),
            TAKE_OVER_BAD);
        for (size_t cut = 0; cut < 4; cut++)
            assert_int_equal(
                parse(span_of(buf, cut), direction), TAKE_OVER_BAD);
        buf[len] = 'x';
        assert_int_equal(
            parse(span_of(buf, len + 1), direction), TAKE_OVER_BAD);
    }
}

static void malformed(void **state)
{
    const struct {
        struct span in;
        enum take_over_direction direction;
        enum take_over_status want;
    } cases[] = {
        {LIT("\0\0\0\0"), TAKE_OVER_TO_GIVER, TAKE_OVER_OTHER_FORMAT},
        {LIT("\2\0\0\1x"), TAKE_OVER_TO_GIVER, TAKE_OVER_OTHER_FORMAT},
        {LIT("\2"), TAKE_OVER_TO_GIVER, TAKE_OVER_OTHER_FORMAT},
        {LIT(""), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\5\0\0"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD}, /* type */
        {LIT("\1\xff\0\0"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},
        {LIT("\1\0\0\0"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD}, /* no version */
        {LIT("\1\0\0\2x"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\0\0\xffx"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\0\0\1\n"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\0\0\1\x7f"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\0\0\1 "), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\0\1\1x"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},   /* refusal */
        {LIT("\1\0\0\1x\0"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD}, /* kinds */
        {LIT("\1\1\0\1x"), TAKE_OVER_TO_GIVER, TAKE_OVER_BAD},
        {LIT("\1\4\3\0"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},
        {LIT("\1\2\0\1x"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},   /* no kinds */
        {LIT("\1\2\0\1x\0"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD}, /* no path */
        {LIT("\1\2\0\1x\3"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD}, /* nothing
                                                                    public */
        {LIT("\1\2\0\1x\0\3\3"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},
        {LIT("\1\2\0\1x\0\1\1\3"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},
        {LIT("\1\2\0\1x\0\2\2\3"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},
        {LIT("\1\2\0\1x\0\3\4\4"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},
        {LIT("\1\2\0\1x\3\0"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD},   /* order */
        {LIT("\1\2\0\1x\0\3\5"), TAKE_OVER_TO_TAKER, TAKE_OVER_BAD}, /* kind */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (parse(cases[i].in, cases[i].direction) != cases[i].want)
            fail_msg("case %zu is judged otherwise", i);
    }
}

static void limits(void **state)
{
    static uint8_t version[TAKE_OVER_VERSION_MAX + 1];
    static uint8_t kinds[TAKE_OVER_SOCKETS_MAX + 1];
    static uint8_t buf[TAKE_OVER_MESSAGE_MAX];
    struct take_over_message m = {.type = TAKE_OVER_OFFER,
        .version = span_of(version, TAKE_OVER_VERSION_MAX),
        .kinds = span_of(kinds, TAKE_OVER_SOCKETS_MAX)};

    (void)state;
    memset(version, 'v', sizeof(version));
    for (uint8_t i = 0; i < 4; i++)
        kinds[TAKE_OVER_PUBLIC_MAX + i] = (uint8_t)(TAKE_OVER_METRICS + i);
    assert_int_equal(take_over_message_encode(&m, buf), TAKE_OVER_MESSAGE_MAX);
    assert_int_equal(
        parse(span_of(buf, sizeof(buf)), TAKE_OVER_TO_TAKER), TAKE_OVER_OK);
    m.version = span_of(version, sizeof(version));
    assert_int_equal(take_over_message_encode(&m, buf), 0);
    m.version = span_of(version, 1);
    memmove(kinds + 1, kinds, sizeof(kinds) - 1); /* one public more */
    m.kinds = span_of(kinds, sizeof(kinds));
    assert_int_equal(take_over_message_encode(&m, buf), 0);
}

static void texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TAKE_OVER_REFUSAL_COUNT; i++)
        assert_true(
            strlen(take_over_refusal_text((enum take_over_refusal)i)) > 0);
    assert_string_equal(
        take_over_refusal_text(TAKE_OVER_TOO_LATE), "it took too long");
}

RUN_TESTS("take_over_message", cmocka_unit_test(there_and_back),
    cmocka_unit_test(directions_and_lengths), cmocka_unit_test(malformed),
    cmocka_unit_test(limits), cmocka_unit_test(texts));
