/*
 * Kernel state that does not survive an exec, made in a child of our own:
 * user ids that differ, capability sets without the effective one.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posture/posture.h"

#include "cmocka_all.h"

enum { SOMEBODY = 65532, CHILD_LOST = 99 };

/* Runs in the child; false: the state could not be made. */
typedef bool make_fn(void);

/* How the row judges a process in that state. */
static int verdict_in(make_fn *make, const char *id)
{
    struct posture_policy *policy = posture_policy_new();
    struct posture_report *report = NULL;
    int verdict = CHILD_LOST;

    if (policy == NULL || !make() ||
        posture_check(policy, POSTURE_PHASE_BOOT, 0, &report) != 0)
        return CHILD_LOST;
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (strcmp(f->id, id) == 0)
            verdict = (int)f->verdict;
    }
    posture_report_free(report);
    posture_policy_free(policy);
    return verdict;
}

static void assert_verdict(
    make_fn *make, const char *id, enum posture_verdict want)
{
    int status = 0;
    pid_t child = 0;

    if (geteuid() != 0)
        skip();
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(verdict_in(make, id));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want);
}

static bool nobody_special(void)
{
    return setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0 &&
           setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0;
}
static bool real_0(void)
{
    return setresuid(0, SOMEBODY, SOMEBODY) == 0;
}
static bool effective_0(void)
{
    return setresuid(SOMEBODY, 0, SOMEBODY) == 0;
}
static bool saved_0(void)
{
    return setresuid(SOMEBODY, SOMEBODY, 0) == 0;
}
static bool filesystem_0(void)
{
    /* setresuid() sets it to the effective one: back to 0 from there. */
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || !nobody_special())
        return false;

    cap_t caps = cap_from_text("cap_setuid=ep");
    bool done = cap_set_proc(caps) == 0;

    (void)cap_free(caps);
    (void)setfsuid(0);
    return done && setfsuid((uid_t)-1) == 0;
}

static bool hold(const char *text)
{
    cap_t caps = cap_from_text(text);
    bool done = prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && nobody_special() &&
                caps != NULL && cap_set_proc(caps) == 0;

    (void)cap_free(caps);
    return done;
}
static bool admin_effective(void)
{
    return hold("cap_sys_admin=ep");
}
static bool admin_permitted(void)
{
    return hold("cap_sys_admin=p");
}
static bool admin_inheritable(void)
{
    return hold("cap_sys_admin=i");
}
static bool bind_service(void)
{
    return hold("cap_net_bind_service=ep");
}
static bool admin_ambient(void)
{
    return hold("cap_sys_admin=pi") &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0) ==
               0;
}

static void user_ids(void **state)
{
    (void)state;
    assert_verdict(nobody_special, "running-as-root", POSTURE_PASS);
    assert_verdict(real_0, "running-as-root", POSTURE_FAIL);
    assert_verdict(effective_0, "running-as-root", POSTURE_FAIL);
    assert_verdict(saved_0, "running-as-root", POSTURE_FAIL);
    assert_verdict(filesystem_0, "running-as-root", POSTURE_FAIL);
}

static void capability_sets(void **state)
{
    (void)state;
    assert_verdict(nobody_special, "capabilities", POSTURE_PASS);
    assert_verdict(bind_service, "capabilities", POSTURE_PASS);
    assert_verdict(admin_effective, "capabilities", POSTURE_FAIL);
    assert_verdict(admin_permitted, "capabilities", POSTURE_FAIL);
    assert_verdict(admin_ambient, "capabilities", POSTURE_FAIL);
    assert_verdict(admin_inheritable, "capabilities", POSTURE_FAIL);
}

RUN_TESTS(
    "kernel", cmocka_unit_test(user_ids), cmocka_unit_test(capability_sets));
