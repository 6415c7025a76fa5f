/* posture: the check as a command. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "posture/capability.h"
#include "posture/posture.h"

enum {
    EXIT_REFUSED = 3,
    EXIT_USAGE = 64,    /* EX_USAGE of sysexits.h */
    EXIT_INTERNAL = 70, /* EX_SOFTWARE */
};

static const char help[] =
    "usage: posture COMMAND [options]\n"
    "\n"
    "Checks the runtime posture of the environment it runs in: user,\n"
    "capabilities, sockets, key directories, configuration.\n"
    "\n"
    "  check            check and print every invariant with its verdict\n"
    "    --format=F       text, json or logfmt (default text)\n"
    "    --production     refuse what is insecure, as POSTURE_PRODUCTION=1 "
    "does\n"
    "    --cert-cache DIR             the directory of certificates and keys\n"
    "    --allow-capability NAME      beside those allowed so far\n"
    "    --expect-listener IP:PORT    a socket that may be held listening\n"
    "    --allow-activation           sockets of sd_listen_fds(3) may be held\n"
    "    --phase=P        boot or bound (default boot)\n"
    "  list             the invariants\n"
    "  explain ID       one invariant: what, why, how to fix it\n"
    "\n"
    "exit codes: 0 passed or only warned, 3 refused, 64 usage, 70 internal\n";

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_LOGFMT };

struct options {
    struct posture_policy *policy;
    enum format format;
    enum posture_phase phase;
    uint64_t capabilities;
};

static int usage_error(const char *what, const char *word)
{
    (void)fprintf(stderr, "posture: %s: %s; see posture --help\n", what, word);
    return EXIT_USAGE;
}

static int set_format(struct options *o, const char *value)
{
    static const char *const names[] = {[FORMAT_TEXT] = "text",
        [FORMAT_JSON] = "json",
        [FORMAT_LOGFMT] = "logfmt"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            o->format = (enum format)i;
            return 0;
        }
    }
    return usage_error("unknown format", value);
}

static int set_phase(struct options *o, const char *value)
{
    if (strcmp(value, "boot") == 0) {
        o->phase = POSTURE_PHASE_BOOT;
    } else if (strcmp(value, "bound") == 0) {
        o->phase = POSTURE_PHASE_BOUND;
    } else {
        return usage_error("unknown phase", value);
    }
    return 0;
}

static int set_cert_cache(struct options *o, const char *value)
{
    return posture_policy_set_cert_cache(o->policy, value) == 0 ? 0
                                                                : EXIT_INTERNAL;
}

static int allow_capability(struct options *o, const char *value)
{
    int bit = capability_bit(value);

    if (bit < 0)
        return usage_error("unknown capability", value);
    o->capabilities |= UINT64_C(1) << bit;
    posture_policy_set_capabilities(o->policy, o->capabilities);
    return 0;
}

static int expect_listener(struct options *o, const char *value)
{
    int failed =
        posture_policy_expect_listener(o->policy, value, "--expect-listener");

    if (failed == -EINVAL)
        return usage_error("not IP:PORT, [IP]:PORT or :PORT", value);
    return failed == 0 ? 0 : EXIT_INTERNAL;
}

static const struct {
    const char *name;
    int (*set)(struct options *o, const char *value);
} options[] = {
    {"--format", set_format},
    {"--phase", set_phase},
    {"--cert-cache", set_cert_cache},
    {"--allow-capability", allow_capability},
    {"--expect-listener", expect_listener},
};

/* The option at argv[*at] and its value. */
static int parse_one(struct options *o, int argc, char *argv[], int *at)
{
    const char *word = argv[*at];

    if (strcmp(word, "--production") == 0) {
        posture_policy_set_mode(o->policy, POSTURE_MODE_PRODUCTION);
        return 0;
    }
    if (strcmp(word, "--allow-activation") == 0) {
        posture_policy_allow_activation(o->policy);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        size_t len = strlen(options[i].name);

        if (strncmp(word, options[i].name, len) != 0)
            continue;
        if (word[len] == '=')
            return options[i].set(o, word + len + 1);
        if (word[len] != '\0')
            continue;
        if (*at + 1 == argc)
            return usage_error("a value is missing", word);
        return options[i].set(o, argv[++*at]);
    }
    return usage_error("unknown option", word);
}

static bool use_colour(void)
{
    return isatty(STDOUT_FILENO) == 1 &&
           getenv("NO_COLOR") == NULL; /* NOLINT(concurrency-mt-unsafe) */
}

/* Text for a terminal: nothing in it but printable ASCII. */
static void print_safe(const char *text)
{
    for (; *text != '\0'; text++)
        (void)putchar(*text >= ' ' && *text < 0x7f ? *text : '?');
}

static void print_line(const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    (void)printf("    %-9s", name);
    print_safe(text);
    (void)putchar('\n');
}

static void print_finding(const struct posture_finding *f, bool colour)
{
    static const char *const words[] = {[POSTURE_ACTION_NONE] = "",
        [POSTURE_ACTION_WARN] = "WARN",
        [POSTURE_ACTION_REFUSE] = "REFUSE"};
    static const char *const colours[] = {[POSTURE_ACTION_NONE] = "\033[32m",
        [POSTURE_ACTION_WARN] = "\033[33m",
        [POSTURE_ACTION_REFUSE] = "\033[31m"};
    const char *word = f->action == POSTURE_ACTION_NONE
                           ? posture_verdict_name(f->verdict)
                           : words[f->action];

    (void)printf("%s%-14s%s %-19s", colour ? colours[f->action] : "", word,
        colour ? "\033[0m" : "", f->id);
    if (f->action == POSTURE_ACTION_NONE) {
        print_safe(f->observed);
        (void)putchar('\n');
        return;
    }
    (void)printf("%s\n", f->sentinel);
    print_line("object", f->object);
    print_line("reason", f->reason);
    print_line("observed", f->observed);
    print_line("expected", f->expected);
    print_line("fix", f->fix);
    print_line("impact", f->impact);
}

/* Failures first. */
static void print_text(const struct posture_report *report)
{
    bool colour = use_colour();
    const char *notice = posture_report_notice(report);

    if (notice != NULL)
        (void)printf("%s\n", notice);
    for (int action = POSTURE_ACTION_REFUSE; action >= 0; action--) {
        for (size_t i = 0; i < posture_report_count(report); i++) {
            const struct posture_finding *f = posture_report_finding(report, i);

            if ((int)f->action == action)
                print_finding(f, colour);
        }
    }
    (void)printf("%s mode on %s: %zu refused, %zu warned, %zu fine\n",
        posture_mode_name(posture_report_mode(report)),
        posture_platform_name(posture_report_platform(report)),
        posture_report_actions(report, POSTURE_ACTION_REFUSE),
        posture_report_actions(report, POSTURE_ACTION_WARN),
        posture_report_actions(report, POSTURE_ACTION_NONE));
}

static int print_json(const struct posture_report *report)
{
    size_t len = posture_report_json(report, NULL, 0);
    char *buf = malloc(len + 1);

    if (buf == NULL)
        return EXIT_INTERNAL;
    (void)posture_report_json(report, buf, len + 1);
    (void)puts(buf);
    free(buf);
    return 0;
}

static void print_logfmt(const struct posture_report *report)
{
    for (size_t i = 0; i < posture_report_count(report); i++) {
        char line[3000];

        (void)posture_finding_logfmt(
            posture_report_finding(report, i), line, sizeof(line));
        (void)puts(line);
    }
}

static int print_report(
    const struct options *o, const struct posture_report *report)
{
    int failed = 0;

    switch (o->format) {
    case FORMAT_TEXT:
        print_text(report);
        break;
    case FORMAT_JSON:
        failed = print_json(report);
        break;
    case FORMAT_LOGFMT:
        print_logfmt(report);
        break;
    }
    if (failed != 0)
        return failed;
    return posture_report_action(report) == POSTURE_ACTION_REFUSE ? EXIT_REFUSED
                                                                  : 0;
}

static int parse_and_check(struct options *o, int argc, char *argv[])
{
    struct posture_report *report = NULL;
    int status = 0;

    for (int at = 0; at < argc && status == 0; at++)
        status = parse_one(o, argc, argv, &at);
    if (status != 0)
        return status;
    if (posture_policy_set_mode_variable(o->policy, "POSTURE_PRODUCTION") !=
            0 ||
        posture_check(o->policy, o->phase, 0, &report) != 0)
        return EXIT_INTERNAL;
    status = print_report(o, report);
    posture_report_free(report);
    return status;
}

static int cmd_check(int argc, char *argv[])
{
    struct options o = {
        .policy = posture_policy_new(),
        .capabilities = UINT64_C(1) << 10, /* CAP_NET_BIND_SERVICE */
    };
    int status = EXIT_INTERNAL;

    if (o.policy != NULL)
        status = parse_and_check(&o, argc, argv);
    if (status == EXIT_INTERNAL)
        (void)fputs("posture: out of memory\n", stderr);
    posture_policy_free(o.policy);
    return status;
}

static int cmd_list(int argc, char *argv[])
{
    if (argc > 0)
        return usage_error("list takes no argument", argv[0]);
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const struct posture_invariant *row = posture_invariant_at(i);

        (void)printf("%-19s %-34s %s\n", row->id, row->sentinel, row->rule);
    }
    return 0;
}

static int cmd_explain(int argc, char *argv[])
{
    const struct posture_invariant *row =
        argc == 1 ? posture_invariant_find(argv[0]) : NULL;

    if (argc != 1) {
        return usage_error(
            "explain takes one invariant", "posture list names them");
    }
    if (row == NULL) {
        return usage_error(
            "unknown invariant; posture list names them", argv[0]);
    }
    (void)printf("%s (%s)\n\nrule    %s\nwhy     %s\n", row->id, row->sentinel,
        row->rule, row->why);
    if (row->impact[0] != '\0')
        (void)printf("impact  %s\n", row->impact);
    (void)puts("\nfix");
    for (int i = 0; i < POSTURE_PLATFORM_COUNT; i++) {
        (void)printf("  %-11s %s\n",
            posture_platform_name((enum posture_platform)i), row->fix[i]);
    }
    return 0;
}

static int run(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*command)(int argc, char *argv[]);
    } commands[] = {
        {"check", cmd_check},
        {"list", cmd_list},
        {"explain", cmd_explain},
    };

    if (argc < 2) {
        (void)fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts(posture_version());
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].command(argc - 2, argv + 2);
    }
    return usage_error("unknown command", argv[1]);
}

int main(int argc, char *argv[])
{
    int status = run(argc, argv);

    /* A report that nobody could read is no pass. */
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        perror("posture: cannot write the output");
        return EXIT_INTERNAL;
    }
    return status;
}
