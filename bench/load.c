/*
 * load: puts load on a relay, or on what stands in for one, and says what
 * that cost.  Every byte is verified.  load_options.c has the usage.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/load_report.h"

enum { EXIT_FAULT = 1, EXIT_USAGE = 2 };

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char *argv[])
{
    struct load_run *run = NULL; /* its histogram is large */
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    struct load_options options;
    int status = 0;
    bool failed = false;

    if (!load_options_parse(argc, argv, &options))
        return EXIT_USAGE;
    (void)sigaction(SIGPIPE, &ignored, NULL); /* OpenSSL writes with write() */
    raise_descriptor_limit();
    run = calloc(1, sizeof(*run));
    if (run == NULL)
        return EXIT_FAULT;
    status = load_run(&options, run);
    if (status < 0)
        load_run_fail(run, "%s", strerrordesc_np(-status));
    load_report_write(run, stdout);
    failed = load_run_failed(run);
    load_run_free(run);
    free(run);
    return failed ? EXIT_FAULT : 0;
}
