/* The files of /proc that the posture check reads. */
#include "fuzz.h"
#include "posture/mountinfo.h"
#include "posture/proc_status.h"
#include "posture/uid_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proc_status status;
    struct uid_map map;

    proc_status_parse(span_of(data, size), &status);
    uid_map_parse(span_of(data, size), &map);
    (void)mountinfo_is_of(span_of(data, size), "0:41");
    (void)mountinfo_has_option(span_of(data, size), "default_permissions");
    FUZZ_CHECK(map.root != UID_MAP_MAPPED || map.outside != 0);
    return 0;
}
