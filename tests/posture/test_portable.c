/* The facts of systems that are not Linux, on this one. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static const struct posture_finding *find(
    const struct posture_report *report, const char *id)
{
    for (size_t i = 0; i < posture_report_count(report); i++) {
        if (strcmp(posture_report_finding(report, i)->id, id) == 0)
            return posture_report_finding(report, i);
    }
    return NULL;
}

/* No fact is made up where no call tells it, and the lock is asked for. */
static void what_is_not_told_is_not_known(void **state)
{
    struct posture_policy *policy = posture_policy_new();
    struct posture_report *report = NULL;
    char path[] = "/tmp/test-portable-XXXXXX";
    int fd = mkstemp(path);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)state;
    assert_non_null(policy);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    assert_int_equal(posture_policy_set_single_instance(policy, NULL, path), 0);
    assert_int_equal(posture_check(policy, POSTURE_PHASE_BOOT, 0, &report), 0);
    assert_non_null(
        strstr(find(report, "running-as-root")->observed, "saved=unknown"));
    assert_non_null(strstr(
        find(report, "running-as-root")->observed, "filesystem=unknown"));
    assert_int_equal(find(report, "single-instance")->verdict, POSTURE_FAIL);
    (void)unlink(path);
    (void)close(fd);
    posture_report_free(report);
    posture_policy_free(policy);
}

RUN_TESTS("portable", cmocka_unit_test(linux_only_rows_are_not_applicable),
    cmocka_unit_test(what_is_not_told_is_not_known));
