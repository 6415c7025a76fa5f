/*
 * Kernel state that does not survive an exec, made in a child of our own:
 * user ids that differ, capability sets without the effective one.
 */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posture/posture.h"

#include "cmocka_all.h"
#include "deny.h"

enum {
    SOMEBODY = 65532,
    UNCONFIRMED = 98, /* one source of two could not be read */
    CHILD_LOST = 99,
};

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

        if (strcmp(f->id, id) != 0)
            continue;
        verdict = (int)f->verdict;
        if (f->verdict == POSTURE_PASS &&
            strstr(f->observed, "could not be read") != NULL)
            verdict = UNCONFIRMED;
    }
    posture_report_free(report);
    posture_policy_free(policy);
    return verdict;
}

/* The same in a thread that is not the first. */
struct threaded {
    make_fn *make;
    const char *id;
    int verdict;
};

static void *run_thread(void *arg)
{
    struct threaded *t = arg;

    t->verdict = verdict_in(t->make, t->id);
    return NULL;
}

static int verdict_in_thread(make_fn *make, const char *id)
{
    struct threaded t = {make, id, CHILD_LOST};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run_thread, &t) != 0 ||
        pthread_join(thread, NULL) != 0)
        return CHILD_LOST;
    return t.verdict;
}

static void assert_verdict_by(int (*run)(make_fn *make, const char *id),
    make_fn *make, const char *id, enum posture_verdict want)
{
    int status = 0;
    pid_t child = 0;

    if (geteuid() != 0)
        skip();
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run(make, id));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want);
}

static void assert_verdict(
    make_fn *make, const char *id, enum posture_verdict want)
{
    assert_verdict_by(verdict_in, make, id, want);
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

/* The system calls alone change the calling thread only. */
static bool nobody_in_this_thread(void)
{
    return syscall(SYS_setresgid, SOMEBODY, SOMEBODY, SOMEBODY) == 0 &&
           syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0;
}

/* As many groups as there can be, with the longest numbers. */
static bool all_groups(void)
{
    enum { GROUPS = 65536 }; /* NGROUPS_MAX */
    static gid_t groups[GROUPS];

    for (size_t i = 0; i < GROUPS; i++)
        groups[i] = 4000000000U + (gid_t)i;
    return setgroups(GROUPS, groups) == 0 && bind_service();
}

static bool setfsuid_denied(void)
{
    return nobody_special() &&
           deny((struct denied_call){.number = SYS_setfsuid, .any = true});
}
static bool ambient_denied(void)
{
    return hold("cap_net_bind_service=pi") && deny((struct denied_call){
                                                  .number = SYS_prctl,
                                                  .first = PR_CAP_AMBIENT,
                                              });
}
static bool admin_ambient_denied(void)
{
    return admin_ambient() && deny((struct denied_call){
                                  .number = SYS_prctl,
                                  .first = PR_CAP_AMBIENT,
                              });
}
static bool without_proc(void)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           umount2("/proc", MNT_DETACH) == 0;
}
static bool setfsuid_denied_without_proc(void)
{
    return without_proc() && setfsuid_denied();
}
static bool ambient_denied_without_proc(void)
{
    return without_proc() && ambient_denied();
}
static bool getsockopt_denied(void)
{
    return deny((struct denied_call){.number = SYS_getsockopt, .any = true});
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

/* What a sandbox refuses to tell is taken from /proc, or unknown. */
static void denied_calls(void **state)
{
    (void)state;
    assert_verdict(setfsuid_denied, "running-as-root", POSTURE_PASS);
    assert_verdict(
        setfsuid_denied_without_proc, "running-as-root", POSTURE_UNKNOWN);
    assert_verdict(ambient_denied, "capabilities", POSTURE_PASS);
    assert_verdict(admin_ambient_denied, "capabilities", POSTURE_FAIL);
    assert_verdict(
        ambient_denied_without_proc, "capabilities", POSTURE_UNKNOWN);
    assert_verdict(getsockopt_denied, "listeners", POSTURE_UNKNOWN);
    assert_verdict(without_proc, "listeners", POSTURE_UNKNOWN);
}

/* The answer is that of the thread that asks. */
static void threads(void **state)
{
    (void)state;
    assert_verdict_by(verdict_in_thread, nobody_in_this_thread,
        "running-as-root", POSTURE_PASS);
    assert_verdict_by(
        verdict_in_thread, nobody_in_this_thread, "capabilities", POSTURE_PASS);
}

static void a_long_status_is_read_whole(void **state)
{
    (void)state;
    assert_verdict(all_groups, "running-as-root", POSTURE_PASS);
    assert_verdict(all_groups, "capabilities", POSTURE_PASS);
}

RUN_TESTS("kernel", cmocka_unit_test(user_ids),
    cmocka_unit_test(capability_sets), cmocka_unit_test(denied_calls),
    cmocka_unit_test(threads), cmocka_unit_test(a_long_status_is_read_whole));
