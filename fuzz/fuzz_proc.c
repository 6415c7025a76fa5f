/* The files of /proc that the posture check reads. */
#include "fuzz.h"
#include <string.h>

#include "base/cgroup.h"
#include "base/mountinfo.h"
#include "posture/file_capability.h"
#include "posture/group_file.h"
#include "posture/loader_variable.h"
#include "posture/proc_status.h"
#include "posture/uid_map.h"

/* Each file of a value is a part of what was left of it. */
static void check_loader_files(struct span rest)
{
    for (;;) {
        struct span before = rest;
        struct span file = loader_variable_file("LD_PRELOAD", &rest);

        if (file.len == 0)
            break;
        FUZZ_CHECK(rest.len < before.len && file.len <= before.len);
    }
    FUZZ_CHECK(rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proc_status status;
    struct mountinfo mount;
    struct span found = {.len = 0};
    struct file_capability file;
    uint64_t number = 0;
    char path[64];
    struct uid_map map;

    proc_status_parse(span_of(data, size), &status);
    uid_map_parse(span_of(data, size), &map);
    for (uint32_t gid = 0; gid < 50; gid++)
        FUZZ_CHECK(group_file_privileged(span_of(data, size), gid).len <=
                   (size > 6 ? size : 6));
    if (mountinfo_parse(span_of(data, size), &mount)) {
        (void)mountinfo_has_option(&mount, "default_permissions");
        FUZZ_CHECK(!mountinfo_unescape(mount.point, path, sizeof(path)) ||
                   strlen(path) <= mount.point.len);
    }
    if (cgroup_path(span_of(data, size), "memory", &found) ||
        cgroup_path(span_of(data, size), NULL, &found))
        FUZZ_CHECK(found.len > 0 && found.ptr[0] == '/');
    (void)cgroup_limit(span_of(data, size), &number);
    (void)cgroup_cpus(span_of(data, size), &number);
    (void)cgroup_cpus_v1(span_of(data, size), span_of(data, size), &number);
    if (file_capability_parse(span_of(data, size), &file))
        FUZZ_CHECK((file.needed & ~file.set) == 0);
    check_loader_files(span_of(data, size));
    FUZZ_CHECK(map.root != UID_MAP_MAPPED || map.outside != 0);
    return 0;
}
