/* The files of /proc that the posture check reads. */
#include "fuzz.h"
#include "posture/group_file.h"
#include "posture/mountinfo.h"
#include "posture/proc_status.h"
#include "posture/uid_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proc_status status;
    struct uid_map map;

    proc_status_parse(span_of(data, size), &status);
    uid_map_parse(span_of(data, size), &map);
    for (uint32_t gid = 0; gid < 50; gid++)
        FUZZ_CHECK(group_file_privileged(span_of(data, size), gid).len <=
                   (size > 6 ? size : 6));
    (void)mountinfo_is_of(span_of(data, size), "0:41");
    (void)mountinfo_has_option(span_of(data, size), "default_permissions");
    FUZZ_CHECK(map.root != UID_MAP_MAPPED || map.outside != 0);
    return 0;
}
