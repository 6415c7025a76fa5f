/* The facts of systems that are not Linux, on this one. */
#include <string.h>

#include "posture/posture.h"

#include "cmocka_all.h"

static void linux_only_rows_are_not_applicable(void **state)
{
    struct posture_policy *policy = posture_policy_new();
    struct posture_report *report = NULL;

    (void)state;
    assert_non_null(policy);
    assert_int_equal(posture_policy_set_cert_cache(policy, "/"), 0);
    assert_int_equal(posture_check(policy, POSTURE_PHASE_BOOT, 0, &report), 0);
    assert_string_equal(posture_report_notice(report),
        "running on linux, skipping linux-only checks");
    assert_int_equal(posture_report_count(report), posture_invariant_count());
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (posture_invariant_find(f->id)->linux_only)
            assert_int_equal(f->verdict, POSTURE_NOT_APPLICABLE);
    }
    /* What POSIX has is judged: "/" is nobody's certificate cache. */
    assert_true(posture_report_has(report, POSTURE_ERR_CACHE_DIR_INSECURE));
    posture_report_free(report);
    posture_policy_free(policy);
}

RUN_TESTS("portable", cmocka_unit_test(linux_only_rows_are_not_applicable));
