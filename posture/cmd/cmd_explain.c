#include <stdio.h>

#include "posture/cmd/cmd.h"

int cmd_list(int argc, char *argv[])
{
    if (argc > 0)
        return cmd_usage_error("list takes no argument", argv[0]);
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const struct posture_invariant *row = posture_invariant_at(i);

        (void)printf("%-21s %-34s %s\n", row->id, row->sentinel, row->rule);
    }
    return 0;
}

static const char *word_of(enum posture_action action)
{
    return action == POSTURE_ACTION_REFUSE ? "refuse" : "warn";
}

/* What a failure does, and what is not known, by mode. */
static void print_actions(const struct posture_invariant *row)
{
    (void)printf("failed  ");
    for (unsigned m = 0; m <= POSTURE_MODE_PRODUCTION; m++) {
        (void)printf("%s%s: %s", m == 0 ? "" : ", ",
            posture_mode_name((enum posture_mode)m), word_of(row->action[m]));
    }
    (void)printf("\nunknown %s in production\n",
        word_of(row->on_unknown[POSTURE_MODE_PRODUCTION]));
}

static void print_waiving(const struct posture_invariant *row)
{
    if (row->error <= POSTURE_ERR_MULTI_INSTANCE_DEPLOY_DETECTED) {
        (void)puts("waive   it is of the core and cannot be waived");
    } else {
        (void)printf(
            "waive   --waive %s:YYYY-MM-DD:REASON, at most 90 days\n", row->id);
    }
}

int cmd_explain(int argc, char *argv[])
{
    const struct posture_invariant *row = NULL;

    if (argc != 1)
        return cmd_usage_error("explain takes one argument", "ID");
    row = posture_invariant_find(argv[0]);
    if (row == NULL)
        return cmd_usage_error("unknown invariant", argv[0]);
    (void)printf("%s (%s)\n\nrule    %s\nwhy     %s\n", row->id, row->sentinel,
        row->rule, row->why);
    if (row->impact[0] != '\0')
        (void)printf("impact  %s\n", row->impact);
    print_actions(row);
    print_waiving(row);
    (void)printf("more    %s\n", row->runbook);
    (void)puts("\nfix");
    for (unsigned p = 0; p < POSTURE_PLATFORM_COUNT; p++) {
        (void)printf("  %-11s %s\n",
            posture_platform_name((enum posture_platform)p), row->fix[p]);
    }
    return 0;
}
