/*
 * The manual page of the relay, at build time: its frame from standard input,
 * with the line @FLAGS@ replaced by what the program itself says of its flags.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/config_help.h"

enum { LINE_MAX_LEN = 1024 };

int main(void)
{
    char line[LINE_MAX_LEN];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strcmp(line, "@FLAGS@\n") == 0) {
            config_manual(stdout);
        } else {
            (void)fputs(line, stdout);
        }
    }
    return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
