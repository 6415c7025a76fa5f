/* The documents of a CA: what is taken keeps its limits, whatever the bytes. */
#include "acme/document.h"
#include "acme/timestamp.h"
#include "base/utf8.h"
#include "fuzz.h"

static void check_text(const char *text, size_t cap)
{
    FUZZ_CHECK(memchr(text, '\0', cap) != NULL);
    FUZZ_CHECK(utf8_valid(span_str(text)));
}

static void check_url(const struct acme_url *url)
{
    FUZZ_CHECK(memchr(url->text, '\0', sizeof(url->text)) != NULL);
    FUZZ_CHECK(url->text[0] == '\0' || document_is_url(url->text));
}

static void check_challenge(const struct acme_challenge *challenge)
{
    check_url(&challenge->url);
    FUZZ_CHECK(strspn(challenge->token,
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                   "0123456789-_") <= AGENT_TOKEN_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acme_directory directory;
    static struct acme_order order;
    static struct acme_authz authz;
    static struct acme_problem problem;
    struct acme_window window;
    struct span in = span_of(data, size);
    int64_t when_s = 0;

    if (document_directory(in, &directory)) {
        check_url(&directory.new_order);
        check_url(&directory.renewal_info);
    }
    if (document_order(in, &order)) {
        FUZZ_CHECK(order.authz_count > 0);
        FUZZ_CHECK(order.authz_count <= ACME_AUTHZ_MAX);
        for (size_t i = 0; i < order.authz_count; i++)
            check_url(&order.authz[i]);
        check_url(&order.certificate);
        check_text(order.problem.text, sizeof(order.problem.text));
    }
    if (document_authz(in, &authz)) {
        check_challenge(&authz.http);
        check_challenge(&authz.tls);
        check_text(authz.problem.text, sizeof(authz.problem.text));
    }
    if (document_window(in, &window)) {
        FUZZ_CHECK(window.start_s < window.end_s);
        check_text(window.why, sizeof(window.why));
    }
    (void)document_problem(in, &problem);
    check_text(problem.text, sizeof(problem.text));
    check_text(problem.type, sizeof(problem.type));
    FUZZ_CHECK(!timestamp_parse(in, &when_s) || size >= 20);
    return 0;
}
