#include "relay/config.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static struct config config;
static char *complaint;

/* Parse these words, up to a NULL. */
static enum config_outcome parse(const char *const words[])
{
    char *argv[16] = {(char *)(uintptr_t) "relay"};
    int argc = 1;
    size_t len = 0;
    FILE *err = NULL;
    enum config_outcome outcome = CONFIG_BAD_USAGE;

    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    free(complaint);
    complaint = NULL;
    err = open_memstream(&complaint, &len);
    assert_non_null(err);
    outcome = config_parse(&config, argc, argv, err);
    (void)fclose(err);
    return outcome;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static bool has_problem(const char *key)
{
    for (size_t i = 0; i < config.problem_count; i++)
        if (strcmp(config.problems[i].key, key) == 0)
            return true;
    return false;
}

static void go_style_flags(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-insecure-listen", "127.0.0.1:1",
                         "--trust-x-forwarded-for", "--max-connections=7"),
        CONFIG_RUN);
    assert_string_equal(config.text[CONFIG_INSECURE_LISTEN], "127.0.0.1:1");
    assert_true(config.on[CONFIG_TRUST_X_FORWARDED_FOR]);
    assert_int_equal(config_count(&config, CONFIG_MAX_CONNECTIONS), 7);
    assert_true(config.insecure);
    assert_int_equal(config.problem_count, 0);
    assert_int_equal(
        PARSE("--insecure-listen=127.0.0.1:1", "-trust-x-forwarded-for=false"),
        CONFIG_RUN);
    assert_false(config.on[CONFIG_TRUST_X_FORWARDED_FOR]);
    assert_int_equal(
        PARSE("--version", "--max-connections=0"), CONFIG_SHOW_VERSION);
    assert_int_equal(PARSE("-h"), CONFIG_SHOW_HELP);
}

static void bad_usage_is_one_line(void **state)
{
    static const char *const words[][2] = {{"--nope", NULL}, {"--domain", NULL},
        {"--max-connections=x", NULL}, {"--trust-x-forwarded-for=maybe", NULL},
        {"---domain=x", NULL}, {"-=x", NULL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        assert_int_equal(parse(words[i]), CONFIG_BAD_USAGE);
        assert_true(strlen(complaint) > 10);
        assert_ptr_equal(
            strchr(complaint, '\n'), complaint + strlen(complaint) - 1);
    }
}

static void every_problem_is_collected(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--insecure-listen=nonsense", "--max-connections=0",
                         "--metrics-listen=0.0.0.0:1", "--http-listen=:80"),
        CONFIG_RUN);
    assert_true(has_problem("--insecure-listen"));
    assert_true(has_problem("--max-connections"));
    assert_true(has_problem("--metrics-listen"));
    assert_true(has_problem("--http-listen"));
    for (size_t i = 0; i < config.problem_count; i++) {
        assert_true(strlen(config.problems[i].fix) > 0);
        assert_true(strlen(config.problems[i].expected) > 0);
    }
}

static void a_mode_is_needed(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--metrics-listen="), CONFIG_RUN);
    assert_int_equal(config.problem_count, 1);
    assert_int_equal(PARSE("--domain=relay.example.com"), CONFIG_RUN);
    assert_int_equal(config.problem_count, 0);
    assert_false(config.insecure);
}

static void an_empty_cache_is_a_problem_where_it_is_used(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("--domain=relay.example.com", "--cert-cache="), CONFIG_RUN);
    assert_int_equal(config.problem_count, 1);
    assert_true(has_problem("--cert-cache"));
    assert_string_equal(config.problems[0].err, "--cert-cache is empty");
    assert_int_equal(
        PARSE("--insecure-listen=127.0.0.1:1", "--cert-cache="), CONFIG_RUN);
    assert_int_equal(config.problem_count, 0);
}

static void a_domain_is_a_host_name_with_a_dot(void **state)
{
    static const struct {
        const char *domain;
        bool good;
    } cases[] = {
        {"relay.example.com", true},
        {"a.b", true},
        {"xn--bcher-kva.example", true},
        {"3.example", true},
        {"relay", false},
        {"relay.", false},
        {".relay.example", false},
        {"a..b", false},
        {"-a.example", false},
        {"a-.example", false},
        {"a.example-", false},
        {"a_b.example", false},
        {"a/b.example", false},
        {"../certs.x", false},
        {"a.example:443", false},
        {"b\xc3\xbc.example", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(PARSE("--domain", cases[i].domain), CONFIG_RUN);
        assert_int_equal(has_problem("--domain"), !cases[i].good);
    }
}

static void a_certificate_is_two_files_of_a_domain(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("--domain=a.b", "--tls-cert=c", "--tls-key=k"), CONFIG_RUN);
    assert_int_equal(config.problem_count, 0);
    assert_true(config.has_certificate);
    assert_int_equal(PARSE("--domain=a.b", "--tls-cert=c"), CONFIG_RUN);
    assert_true(has_problem("--tls-cert"));
    assert_int_equal(PARSE("--domain=a.b", "--tls-key=k"), CONFIG_RUN);
    assert_true(has_problem("--tls-key"));
    assert_int_equal(
        PARSE("--insecure-listen=127.0.0.1:1", "--tls-cert=c", "--tls-key=k"),
        CONFIG_RUN);
    assert_true(has_problem("--tls-cert"));
    assert_false(config.has_certificate);
    assert_int_equal(PARSE("--domain=a.b"), CONFIG_RUN);
    assert_false(config.has_certificate);
}

static int tear_down(void **state)
{
    (void)state;
    free(complaint);
    complaint = NULL;
    return 0;
}

#define CASE(f) cmocka_unit_test_teardown(f, tear_down)
RUN_TESTS("config", CASE(a_domain_is_a_host_name_with_a_dot),
    CASE(a_certificate_is_two_files_of_a_domain), CASE(go_style_flags),
    CASE(bad_usage_is_one_line), CASE(every_problem_is_collected),
    CASE(a_mode_is_needed), CASE(an_empty_cache_is_a_problem_where_it_is_used));
