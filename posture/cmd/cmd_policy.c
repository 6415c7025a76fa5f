#include <stdio.h>
#include <string.h>

#include "posture/cmd/cmd.h"
#include "posture/cmd/options.h"
#include "posture/cmd/policy_file.h"

/* posture policy lint FILE...: is each readable, complete and possible? */
int cmd_policy(int argc, char *argv[])
{
    int status = 0;

    if (argc < 2 || strcmp(argv[0], "lint") != 0)
        return cmd_usage_error("expected", "policy lint FILE...");
    for (int i = 1; i < argc; i++) {
        struct options o;
        int failed = options_parse(&o, 0, argv, false);

        if (failed == 0)
            failed = policy_file_read(argv[i], &o.settings);
        if (failed == 0) {
            (void)printf("%s: ok\n", argv[i]);
        } else {
            status = failed;
        }
        options_done(&o);
    }
    return status;
}
