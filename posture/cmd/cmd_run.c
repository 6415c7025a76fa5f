/* posture run: check, seal, then become the program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/own.h"
#include "base/span.h"
#include "base/text.h"
#include "posture/cmd/cmd.h"
#include "posture/cmd/options.h"
#include "posture/cmd/seal_option.h"

enum { PROGRAM_PATH_MAX = 1024 };

static int check(const struct options *o, enum posture_phase phase)
{
    struct posture_report *report = NULL;
    int status = options_check(o, phase, &report);

    if (status != 0)
        return status;
    if (posture_report_action(report) != POSTURE_ACTION_NONE)
        print_failures(report, stderr);
    if (posture_report_action(report) == POSTURE_ACTION_REFUSE ||
        (o->strict && posture_report_action(report) == POSTURE_ACTION_WARN)) {
        (void)fputs("posture: refused; the program was not started\n", stderr);
        status = EXIT_CONFIG;
    }
    posture_report_free(report);
    return status;
}

static int report_seal(const struct seal_report *report, bool required)
{
    if (seal_is_whole(report))
        return 0;
    for (unsigned i = 0; i < SEAL_PART_COUNT; i++) {
        if (report->parts[i].state != SEAL_MISSING)
            continue;
        (void)fprintf(stderr, "posture: the seal lacks %s: %s\n",
            seal_part_name((enum seal_part)i),
            report->parts[i].why != NULL
                ? report->parts[i].why
                : strerrordesc_np(report->parts[i].error));
    }
    if (!required)
        return 0;
    (void)fputs("posture: refused; the program was not started\n", stderr);
    return EXIT_CONFIG;
}

static int apply_seal(const struct options *o, const struct seal_option *seal)
{
    struct seal_report report;
    int status = 0;

    seal_apply(&seal->plan, &report);
    status = report_seal(&report, o->require_seal);
    /* What the seal was declared to satisfy is read from the kernel again. */
    return status == 0 ? check(o, POSTURE_PHASE_SEALED) : status;
}

/* Where execvp() will find it; false: nowhere that we can see. */
static bool find_program(const char *name, char *ret, size_t cap)
{
    const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
    struct span rest = span_str(path == NULL ? "/bin:/usr/bin" : path);

    if (strchr(name, '/') != NULL)
        return text_format(ret, cap, "%s", name) && access(name, F_OK) == 0;
    while (rest.len > 0) {
        struct span directory = span_take_until(&rest, ':');

        if (text_format(ret, cap, "%.*s%s%s", (int)directory.len,
                (const char *)directory.ptr, directory.len == 0 ? "./" : "/",
                name) &&
            access(ret, X_OK) == 0)
            return true;
    }
    return false;
}

/* The file itself: links would be judged by where they lie. */
static int declare_program(const struct options *o, const char *name)
{
    char found[PROGRAM_PATH_MAX];
    FREES char *resolved = NULL;

    if (find_program(name, found, sizeof(found)))
        resolved = realpath(found, NULL);
    if (resolved == NULL)
        return 0; /* exec will say what is wrong with it */
    return posture_policy_set_program(o->settings.policy, resolved) == 0
               ? 0
               : EXIT_INTERNAL;
}

static int become(char *argv[])
{
    (void)fflush(stderr);
    (void)execvp(argv[0], argv);

    int error = errno;

    (void)fprintf(stderr, "posture: %s: %s\n", argv[0], strerrordesc_np(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC;
}

static int check_and_become(
    const struct options *o, const struct seal_option *seal, char *argv[])
{
    int status = 0;

    if ((seal->plan.parts >> SEAL_NO_NEW_PRIVS & 1) != 0) {
        posture_policy_declare_seal(
            o->settings.policy, POSTURE_SEALS_NO_NEW_PRIVS);
    }
    if ((seal->plan.parts >> SEAL_NO_CORE & 1) != 0) {
        posture_policy_declare_seal(
            o->settings.policy, POSTURE_SEALS_NOT_DUMPABLE);
    }
    status = declare_program(o, argv[0]);
    if (status == 0)
        status = check(o, POSTURE_PHASE_BOOT);
    if (status == 0 && seal->plan.parts != 0)
        status = apply_seal(o, seal);
    return status == 0 ? become(argv) : status;
}

/* Started by the one whom the bit names, the kernel sees nothing special. */
static bool is_setuid(void)
{
    struct stat st;

    return stat("/proc/self/exe", &st) == 0 &&
           (st.st_mode & (S_ISUID | S_ISGID)) != 0;
}

int cmd_run(int argc, char *argv[])
{
    struct options o;
    struct seal_option seal = {.words = NULL};
    const char *bad = "";
    int status = 0;

    /* A write a report, not one a word. */
    IGNORE(setvbuf(stderr, NULL, _IOFBF, BUFSIZ) != 0, "then it is slower");
    if (getauxval(AT_SECURE) != 0 || is_setuid()) {
        (void)fputs("posture: refused; run is setuid, setgid or has file "
                    "capabilities: chmod u-s,g-s, setcap -r\n",
            stderr);
        return EXIT_CONFIG;
    }
    status = options_parse(&o, argc, argv, true);
    if (status == 0 && o.rest >= argc)
        status = cmd_usage_error("a program is missing", "run -- PROGRAM");
    if (status == 0 && o.seal != NULL &&
        seal_option_parse(&seal, o.seal, &bad) != 0)
        status = cmd_usage_error("unknown part of a seal", bad);
    if (status == 0)
        status = check_and_become(&o, &seal, argv + o.rest);
    seal_option_done(&seal);
    options_done(&o);
    return status;
}
