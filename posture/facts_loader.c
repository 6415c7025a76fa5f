/* Variables and files by which the loader or a library is made to load code,
 * write secrets or change its behaviour before main. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "posture/facts.h"
#include "posture/loader_variable.h"

static void find_variables(struct fact_process *ret)
{
    for (size_t i = 0; i < loader_variable_count(); i++) {
        const char *name = loader_variable_name(i);
        /* Nothing else runs that would change the environment. */
        const char *value = getenv(name); /* NOLINT */

        if (value == NULL || ret->loader_count == FACTS_LOADER_MAX)
            continue;
        ret->loader[ret->loader_count++] =
            (struct fact_variable){.name = name, .value = value};
    }
}

static struct fact_number preload_file(void)
{
    char buf[2];
    ssize_t len = facts_read_head("/etc/ld.so.preload", buf, sizeof(buf));

    if (len == -ENOENT)
        return facts_number(true, 0, 0);
    return facts_number(len >= 0, len > 0, (int)-len);
}

static bool is_set(
    const struct fact_process *p, const struct policy_value *allowed)
{
    for (size_t i = 0; i < p->loader_count; i++) {
        if (strcmp(p->loader[i].name, allowed->name) == 0 &&
            strcmp(p->loader[i].value, allowed->value) == 0)
            return true;
    }
    return false;
}

static void look_at_file(struct span file, struct fact_directory *ret)
{
    char path[FACTS_PATH_MAX];

    if (file.ptr[0] != '/')
        return; /* nobody can say which file that is */
    if (!text_format(path, sizeof(path), "%.*s", (int)file.len,
            (const char *)file.ptr)) {
        ret->error = ENAMETOOLONG;
        ret->obstacle = FACT_OBSTACLE_LENGTH;
        return;
    }
    facts_file(path, ret);
}

void facts_loader(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    struct fact_directory *to = ret->allowed_files;

    find_variables(&ret->process);
    ret->process.preload_file = preload_file();
    for (size_t i = 0; i < policy->allowed_count; i++) {
        const struct policy_value *allowed = &policy->allowed[i];
        struct span rest = span_str(allowed->value);

        for (;;) {
            struct span file = loader_variable_file(allowed->name, &rest);

            if (file.len == 0)
                break;
            if (is_set(&ret->process, allowed))
                look_at_file(file, to);
            to++;
        }
    }
}
