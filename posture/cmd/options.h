/* options: the command line of check and run. */
#pragma once

#include "posture/cmd/print.h"
#include "posture/cmd/settings.h"

enum { OPTIONS_OUTPUTS_MAX = 8 };

/* A format and where it goes. */
struct output {
    print_fn *print;
    const char *path; /* NULL: stdout */
};

struct options {
    struct settings settings;
    enum posture_phase phase;
    struct output outputs[OPTIONS_OUTPUTS_MAX];
    size_t output_count;
    bool strict;
    bool print_policy;
    const char *seal; /* of run, or NULL */
    bool require_seal;
    int rest; /* index of the first word behind --, or argc */
};

/* 0 or an exit code; what is wrong was written to stderr. */
NONNULL int options_parse(
    struct options *ret, int argc, char *argv[], bool is_run);
void options_done(struct options *options);

/* Check in that phase with the policy that the options describe.  0 or an
 * exit code. */
NONNULL int options_check(const struct options *options,
    enum posture_phase phase, struct posture_report **ret);
