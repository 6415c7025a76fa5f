/* posture: the check as a command. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "posture/cmd/cmd.h"
#include "posture/cmd/settings.h"

static const char help[] =
    "usage: posture COMMAND [options]\n"
    "\n"
    "Checks the runtime posture of the environment it runs in: user,\n"
    "capabilities, sockets, files, limits, configuration.\n"
    "\n"
    "  check [options]                print every invariant with its verdict\n"
    "  run [options] -- PROGRAM ...   check, then become the program\n"
    "  list, explain ID               the invariants; what, why, how to fix\n"
    "  suggest --for PLATFORM         what to put into the manifest\n"
    "  policy lint FILE...            is a policy file right?\n"
    "  options                        what a policy can say\n"
    "\n"
    "  --policy FILE         settings from an INI file\n"
    "  --production          refuse what is insecure (POSTURE_PRODUCTION=1)\n"
    "  --strict              warnings count too\n"
    "  --format F[=FILE]     text, json, junit, sarif, prometheus, logfmt\n"
    "  --phase P             boot, bound or sealed\n"
    "  --seal PARTS          run: no-new-privs,no-core,capabilities,syscalls,\n"
    "                        bind=PORT|none,write=PATH|none; --require-seal\n"
    "\n"
    "exit codes: 0 passed or warned, 3 refused, 4 warned under --strict,\n"
    "64 usage, 66 policy, 70 internal, 78 run: refused, 126, 127\n";

static int cmd_options(int argc, char *argv[])
{
    if (argc > 0)
        return cmd_usage_error("options takes no argument", argv[0]);
    (void)puts("--NAME VALUE on the command line, NAME = VALUE under [policy] "
               "in a file\n");
    for (size_t i = 0; i < settings_count(); i++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%s %s", settings_name(i),
            settings_value_name(i));
        (void)printf("  %-30s %s\n", left, settings_help(i));
    }
    return 0;
}

int cmd_usage_error(const char *what, const char *word)
{
    (void)fprintf(stderr, "posture: %s: %s; see posture --help\n", what, word);
    return EXIT_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* posture --help, posture help, and posture COMMAND --help. */
static bool asks_for_help(int argc, char *argv[])
{
    return is_help(argv[1]) || strcmp(argv[1], "help") == 0 ||
           (argc == 3 && is_help(argv[2]));
}

static int run_command(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*command)(int argc, char *argv[]);
    } commands[] = {
        {"check", cmd_check},
        {"run", cmd_run},
        {"list", cmd_list},
        {"explain", cmd_explain},
        {"suggest", cmd_suggest},
        {"policy", cmd_policy},
        {"options", cmd_options},
    };

    if (argc < 2) {
        (void)fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (asks_for_help(argc, argv)) {
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
    return cmd_usage_error("unknown command", argv[1]);
}

int main(int argc, char *argv[])
{
    int status = run_command(argc, argv);

    /* A report that nobody could read is no pass. */
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        perror("posture: cannot write the output");
        return EXIT_INTERNAL;
    }
    if (status == EXIT_INTERNAL)
        (void)fputs("posture: internal error\n", stderr);
    return status & UINT8_MAX;
}
