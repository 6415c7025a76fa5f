/* What Google answers: no byte of it reaches a log but names of errors and of
 * messages, and what is taken for a token fits a header field. */
#include "fuzz.h"
#include "push/fcm.h"
#include "push/token.h"

static void check_printable(const char *text)
{
    for (; *text != '\0'; text++)
        FUZZ_CHECK(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token token;
    struct span in = span_of(data, size);
    char id[FCM_ID_MAX + 1];
    char buf[PUSH_TEXT_MAX + 1];
    struct text t = text_over(buf, sizeof(buf));
    enum push_outcome outcome = fcm_failure(404, in, &t);

    FUZZ_CHECK(outcome == PUSH_UNREGISTERED || outcome == PUSH_SEND_FAILED);
    FUZZ_CHECK(!t.cut);
    check_printable(buf);
    fcm_message_id(in, id);
    FUZZ_CHECK(strchr(id, ' ') == NULL);
    check_printable(id);
    if (token_take(&token, in, 1000)) {
        FUZZ_CHECK(token.text[0] != '\0' && strchr(token.text, ' ') == NULL);
        FUZZ_CHECK(token.until_ms >= 1000 &&
                   token.until_ms <= 1000 + 1000 * TOKEN_LIFETIME_MAX_S);
        check_printable(token.text);
    }
    return 0;
}
