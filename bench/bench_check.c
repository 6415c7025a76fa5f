/*
 * The cost of posture_check() as the relay calls it, in CPU time of the
 * process: the median of as many runs as are asked for, in nanoseconds.
 * usage: bench_check RUNS      (one run and no line for strace: RUNS 0)
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "posture/posture.h"

static struct posture_policy *relay_policy(void)
{
    struct posture_policy *policy = posture_policy_new();

    if (policy == NULL ||
        posture_policy_set_mode_variable(policy, "PYRYCODE_RELAY_PRODUCTION") <
            0 ||
        posture_policy_set_cert_cache(policy, "/var/lib/relay/certs") < 0 ||
        posture_policy_set_single_instance(policy,
            "PYRYCODE_RELAY_SINGLE_INSTANCE",
            "/var/lib/relay/certs/instance.lock") < 0 ||
        posture_policy_expect_listener(policy, ":443", "--https-listen") < 0 ||
        posture_policy_set_descriptors(policy, 1000, "1000 connections") < 0)
        return NULL;
    posture_policy_declare_seal(
        policy, POSTURE_SEALS_NO_NEW_PRIVS | POSTURE_SEALS_NOT_DUMPABLE);
    return policy;
}

/* The three phases of one boot; nanoseconds of CPU, or -1. */
static long boot(const struct posture_policy *policy)
{
    struct timespec begin;
    struct timespec end;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin) < 0)
        return -1;
    for (int phase = POSTURE_PHASE_BOOT; phase <= POSTURE_PHASE_SEALED;
         phase++) {
        struct posture_report *report = NULL;

        if (posture_check(policy, (enum posture_phase)phase, 0, &report) < 0)
            return -1;
        posture_report_free(report);
    }
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end) < 0)
        return -1;
    return (end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec -
           begin.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    long x = *(const long *)a;
    long y = *(const long *)b;

    return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
    long runs = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    struct posture_policy *policy = relay_policy();
    long *cost = calloc((size_t)runs + 1, sizeof(*cost));
    int status = EXIT_FAILURE;

    if (policy == NULL || cost == NULL || runs < 0)
        goto out;
    (void)getppid(); /* for strace: what follows is the check */
    cost[0] = boot(policy);
    (void)getppid();
    for (long i = 1; i <= runs; i++)
        cost[i] = boot(policy);
    if (runs > 0) {
        qsort(cost + 1, (size_t)runs, sizeof(*cost), compare);
        (void)printf("%ld\n", cost[1 + runs / 2]);
    }
    status = EXIT_SUCCESS;
out:
    free(cost);
    posture_policy_free(policy);
    return status;
}
