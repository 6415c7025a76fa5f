/* cmd: the commands of the posture program, and what they share. */
#pragma once

#include <stdio.h>

#include "posture/posture.h"

/* sysexits.h, and what a shell says; docs/posture.md has the list. */
enum {
    EXIT_REFUSED = 3,
    EXIT_WARNED = 4, /* --strict */
    EXIT_USAGE = 64,
    EXIT_NOINPUT = 66,
    EXIT_INTERNAL = 70, /* main() says so; and what said so itself: */
    EXIT_CONTRADICTED = 70 | 256,
    EXIT_CONFIG = 78,       /* run: refused */
    EXIT_CANNOT_EXEC = 126, /* run: the program cannot be executed */
    EXIT_NOT_FOUND = 127,   /* run: there is no such program */
};

int cmd_check(int argc, char *argv[]);
int cmd_run(int argc, char *argv[]);
int cmd_list(int argc, char *argv[]);
int cmd_explain(int argc, char *argv[]);
int cmd_suggest(int argc, char *argv[]);
int cmd_policy(int argc, char *argv[]);

/* One line on stderr; EXIT_USAGE. */
int cmd_usage_error(const char *what, const char *word);
