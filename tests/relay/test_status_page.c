#include "relay/posture_record.h"
#include "relay/status_page.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

static struct metrics_sum sum;
static struct history history;
static char buf[STATUS_JSON_MAX];

static const char *render(
    const struct process_stats *process, const struct posture_finding *finding)
{
    struct text t = text_over(buf, sizeof(buf));

    status_page_json(
        &(struct status_view){
            .version = "1\"2",
            .state = "ready",
            .mode = "production",
            .epoch_ms = 1790000000250,
            .uptime_ms = 1500,
            .sum = &sum,
            .process = process,
            .history = &history,
            .findings = &finding,
            .finding_count = finding == NULL ? 0 : 1,
        },
        &t);
    assert_false(t.cut);
    return buf;
}

static void the_status_is_what_it_is_given(void **state)
{
    struct process_stats process = {.values = {0}};
    const struct posture_finding finding = {
        .id = "config",
        .verdict = POSTURE_FAIL,
        .object = "X",
        .observed = "a\nb",
        .expected = "c",
        .reason = "d",
        .fix = "e",
        .impact = "",
    };
    const char *text = NULL;

    (void)state;
    process.values[PROCESS_CPU_US] = 2500000;
    process.values[PROCESS_MAX_FDS] = PROCESS_STAT_UNKNOWN;
    sum.values[METRIC_CONNECTIONS_BINARY] = 2;
    sum.values[METRIC_CONNECTIONS_PHONE] = 5;
    text = render(&process, &finding);
    assert_memory_equal(text,
        "{\"schema\":1,\"version\":\"1\\\"2\",\"state\":\"ready\","
        "\"at\":1790000000.25,\"uptime_seconds\":1.5,\"connections\":{",
        100);
    assert_non_null(strstr(text, ",\"upgraded\":7,"));
    assert_non_null(strstr(text, "\"process\":{\"cpu_seconds\":2.5,"));
    assert_non_null(strstr(text, "\"max_fds\":null}"));
    assert_non_null(strstr(text,
        "\"posture\":{\"mode\":\"production\",\"findings\":[{\"id\":"
        "\"config\",\"verdict\":\"fail\",\"object\":\"X\",\"observed\":"
        "\"a\\nb\",\"expected\":\"c\",\"reason\":\"d\",\"fix\":\"e\","
        "\"impact\":\"\"}]}"));
    assert_string_equal(text + strlen(text) - 3, "}}\n");
}

static void a_status_that_does_not_fit_says_so(void **state)
{
    static const struct process_stats process;
    char small[64];
    struct text t = text_over(small, sizeof(small));

    (void)state;
    status_page_json(&(struct status_view){.version = "1",
                         .state = "ready",
                         .mode = "production",
                         .sum = &sum,
                         .process = &process,
                         .history = &history},
        &t);
    assert_true(t.cut);
}

static void the_page_comes_with_its_policy(void **state)
{
    struct span page = status_page_html();
    const char *policy = status_page_policy();

    (void)state;
    assert_true(page.len > 1000);
    assert_memory_equal(page.ptr, "<!doctype html>\n", 16);
    assert_memory_equal(page.ptr + page.len - 8, "</html>\n", 8);
    assert_non_null(strstr(policy, "default-src 'none'; script-src 'sha256-"));
    assert_null(strstr(policy, "unsafe"));
}

/* ---- the record of the checks ---- */

static struct posture_report *check(
    struct posture_policy *policy, enum posture_phase phase)
{
    struct posture_report *report = NULL;

    assert_int_equal(posture_check(policy, phase, 0, &report), 0);
    return report;
}

static const char *verdict_of(
    const struct posture_record *record, const char *id, size_t *ret_times)
{
    struct metrics_invariant list[POSTURE_RECORD_FINDINGS];
    size_t count = posture_record_invariants(record, list);
    const char *verdict = NULL;

    *ret_times = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].id, id) == 0) {
            verdict = list[i].verdict;
            (*ret_times)++;
        }
    }
    return verdict;
}

static void one_verdict_an_invariant_and_the_gravest(void **state)
{
    struct posture_policy *policy = posture_policy_new();
    static struct posture_record record;
    size_t times = 0;

    (void)state;
    assert_non_null(policy);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(posture_policy_add_problem(policy,
                             &(struct posture_problem){
                                 .key = i == 0 ? "--one" : "--two",
                                 .observed = "x",
                                 .expected = "y",
                                 .reason = "z",
                                 .fix = "w",
                             }),
            0);
    }
    posture_record_add(&record, check(policy, POSTURE_PHASE_BOOT));
    assert_true(record.count > 2);
    assert_string_equal(verdict_of(&record, "config", &times), "fail");
    assert_int_equal(times, 1);
    posture_record_done(&record);
    posture_policy_free(policy);
    assert_int_equal(record.count, 0);
}

/* However many findings one invariant has, the others keep theirs. */
static void no_invariant_crowds_out_another(void **state)
{
    struct posture_policy *policy = posture_policy_new();
    static struct posture_record record;
    static struct metrics_invariant list[POSTURE_RECORD_FINDINGS];
    size_t judged = 0;
    size_t times = 0;

    (void)state;
    assert_non_null(policy);
    for (unsigned i = 0; i < 200; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "--flag-%u", i);
        assert_int_equal(posture_policy_add_problem(policy,
                             &(struct posture_problem){
                                 .key = key,
                                 .observed = "x",
                                 .expected = "y",
                                 .reason = "z",
                                 .fix = "w",
                             }),
            0);
    }
    for (size_t i = 0; i < posture_invariant_count(); i++)
        judged += posture_invariant_at(i)->phases & 1U;
    posture_record_add(&record, check(policy, POSTURE_PHASE_BOOT));
    assert_true(posture_report_count(record.reports[0]) > 200);
    assert_int_equal(posture_record_invariants(&record, list), judged);
    assert_string_equal(verdict_of(&record, "config", &times), "fail");
    posture_record_done(&record);
    posture_policy_free(policy);
}

static void a_later_phase_counts(void **state)
{
    struct posture_policy *policy = posture_policy_new();
    static struct posture_record record;
    struct posture_report *sealed = NULL;
    size_t before = 0;
    size_t times = 0;

    (void)state;
    assert_non_null(policy);
    posture_record_add(&record, check(policy, POSTURE_PHASE_BOOT));
    before = record.count;
    sealed = check(policy, POSTURE_PHASE_SEALED);
    posture_record_add(&record, sealed);
    assert_int_equal(record.count, before);
    for (size_t i = 0; i < posture_report_count(sealed); i++) {
        const struct posture_finding *f = posture_report_finding(sealed, i);
        bool found = false;

        for (size_t j = 0; j < record.count; j++)
            found = found || record.findings[j] == f;
        assert_true(found);
        assert_string_equal(verdict_of(&record, f->id, &times),
            posture_verdict_name(f->verdict));
        assert_int_equal(times, 1);
    }
    posture_record_done(&record);
    posture_policy_free(policy);
}

RUN_TESTS("status_page", cmocka_unit_test(the_status_is_what_it_is_given),
    cmocka_unit_test(a_status_that_does_not_fit_says_so),
    cmocka_unit_test(the_page_comes_with_its_policy),
    cmocka_unit_test(one_verdict_an_invariant_and_the_gravest),
    cmocka_unit_test(no_invariant_crowds_out_another),
    cmocka_unit_test(a_later_phase_counts));
