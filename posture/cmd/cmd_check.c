#include <stdio.h>

#include "posture/cmd/cmd.h"
#include "posture/cmd/options.h"
#include "posture/report.h"

static int write_one(
    const struct posture_report *report, const struct output *output)
{
    FILE *out = output->path == NULL ? stdout : fopen(output->path, "we");
    bool fine = false;

    if (out == NULL) {
        (void)fprintf(stderr, "posture: %s: ", output->path);
        perror(NULL);
        return EXIT_INTERNAL;
    }
    fine = output->print(report, out);
    if (output->path != NULL && fclose(out) != 0) {
        perror("posture: cannot write the output");
        return EXIT_INTERNAL;
    }
    return fine ? 0 : EXIT_INTERNAL;
}

static int status_of(const struct options *o, const struct posture_report *r)
{
    if (r->contradicted) {
        (void)fputs("posture: /proc and the system calls contradict each "
                    "other: neither can be relied on\n",
            stderr);
        return EXIT_CONTRADICTED;
    }
    switch (posture_report_action(r)) {
    case POSTURE_ACTION_REFUSE:
        return EXIT_REFUSED;
    case POSTURE_ACTION_WARN:
        return o->strict ? EXIT_WARNED : 0;
    case POSTURE_ACTION_NONE:
        break;
    }
    return 0;
}

static int check_and_write(struct options *o)
{
    struct posture_report *report = NULL;
    int status = options_check(o, o->phase, &report);

    if (status != 0)
        return status;
    if (o->output_count == 0)
        o->outputs[o->output_count++].print = print_text;
    for (size_t i = 0; i < o->output_count && status == 0; i++)
        status = write_one(report, &o->outputs[i]);
    if (status == 0)
        status = status_of(o, report);
    posture_report_free(report);
    return status;
}

/* As a policy file. */
static void print_policy(const struct settings *s)
{
    (void)puts("[policy]");
    for (size_t i = 0; i < s->said_count; i++) {
        const char *value = s->said[i].value;

        (void)printf("%s = %s\n", settings_name(s->said[i].index),
            value[0] == '\0' ? "yes" : value);
    }
}

int cmd_check(int argc, char *argv[])
{
    struct options o;
    int status = options_parse(&o, argc, argv, false);

    if (status == 0 && o.print_policy) {
        print_policy(&o.settings);
    } else if (status == 0) {
        status = check_and_write(&o);
    }
    options_done(&o);
    return status;
}
