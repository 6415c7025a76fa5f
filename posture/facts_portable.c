/* The facts of systems that are not Linux: what POSIX has.  Linux-only rows
 * are then not applicable. */
#include "posture/facts.h"

#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"

static void name_system(char *ret, size_t cap)
{
    struct utsname name;
    struct text t = text_over(ret, cap);

    if (uname(&name) < 0) {
        text_add_str(&t, "this system");
        return;
    }
    for (const char *p = name.sysname; *p != '\0'; p++)
        text_add_char(&t, *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p);
}

void facts_collect(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    ret->linux_facts = false;
    name_system(ret->system, sizeof(ret->system));
    facts_environment(policy, ret);
    ret->ids = (struct fact_ids){
        .known = true,
        .real = getuid(),
        .effective = geteuid(),
        .saved_error = ENOSYS, /* POSIX has no call that tells it */
        .filesystem_error = ENOSYS,
    };
    if (policy->cert_cache != NULL)
        facts_directory(policy->cert_cache, &ret->cert_cache);
    if (policy->lock_path != NULL)
        facts_lock(policy->lock_path, &ret->lock);
}
