#include "base/cgroup.h"
#include "base/mountinfo.h"
#include "posture/capability.h"
#include "posture/civil_date.h"
#include "posture/file_capability.h"
#include "posture/group_file.h"
#include "posture/loader_variable.h"
#include "posture/proc_status.h"
#include "posture/uid_map.h"

#include <string.h>

#include "cmocka_all.h"

static void status_of_a_process(void **state)
{
    struct proc_status s;

    (void)state;
    proc_status_parse(
        LIT("Name:\tcat\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n"
            "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\n"
            "CapEff:\t0000000000000400\nCapBnd:\t000001ffffffffff\n"
            "CapAmb:\t0000000000000001\nNoNewPrivs:\t1\nSeccomp:\t2\n"
            "Seccomp_filters:\t3\n"),
        &s);
    assert_true(s.uid_known);
    assert_int_equal(s.uid[PROC_STATUS_REAL], 1);
    assert_int_equal(s.uid[PROC_STATUS_SAVED], 3);
    assert_int_equal(s.uid[PROC_STATUS_FILESYSTEM], 4);
    assert_true(s.cap_known[PROC_STATUS_CAP_EFFECTIVE]);
    assert_true(s.cap[PROC_STATUS_CAP_EFFECTIVE] == 0x400);
    assert_true(s.cap[PROC_STATUS_CAP_PERMITTED] == 0x1ffffffffff);
    assert_true(s.cap[PROC_STATUS_CAP_AMBIENT] == 1);
    assert_true(s.no_new_privs_known && s.no_new_privs == 1);
    assert_true(s.seccomp_known && s.seccomp == 2);
}

/* What a name can hold, a cut file, and the fields that gVisor leaves out. */
static void what_is_absent_or_malformed_is_not_known(void **state)
{
    const struct span cases[] = {LIT(""), LIT("Uid:"), LIT("Uid:\t1\t2\t3"),
        LIT("Uid:\t1\t2\t3\t4\t5\n"), LIT("Uid:\t-1\t2\t3\t4\n"),
        LIT("Uid:\t4294967296\t2\t3\t4\n"), LIT("CapEff:\tzz\n"),
        LIT("CapEff:\t\n"), LIT("CapEff:\t00000000000000000\n"),
        /* Without its end a line may be cut, and its number another. */
        LIT("Uid:\t1\t2\t3\t4"), LIT("CapEff:\t0000000000000400"),
        LIT("Name:\tx\nCapEff:\t00000000"), LIT("xUid:\t0\t0\t0\t0\n"),
        LIT("\n\n:::\n\0Uid\n")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proc_status s;

        proc_status_parse(cases[i], &s);
        assert_false(s.uid_known);
        assert_false(s.cap_known[PROC_STATUS_CAP_EFFECTIVE]);
    }
}

static void uid_maps(void **state)
{
    const struct {
        struct span in;
        enum uid_map_root want;
        uint32_t outside;
    } cases[] = {
        {LIT("         0          0 4294967295\n"), UID_MAP_REAL, 0},
        {LIT("0 100000 65536\n"), UID_MAP_MAPPED, 100000},
        {LIT("1000 1000 1\n0 1000 1\n"), UID_MAP_MAPPED, 1000},
        {LIT("65532 65532 1\n"), UID_MAP_UNMAPPED, 0},
        {LIT(""), UID_MAP_UNKNOWN, 0},
        {LIT("0 100000 65536"), UID_MAP_UNKNOWN, 0},
        {LIT("1 1 1\n0 100000 6"), UID_MAP_UNKNOWN, 0},
        {LIT("0 0\n"), UID_MAP_UNKNOWN, 0},
        {LIT("0 0 x\n"), UID_MAP_UNKNOWN, 0},
        {LIT("0 0 1 1\n"), UID_MAP_UNKNOWN, 0},
        {LIT("0 4294967296 1\n"), UID_MAP_UNKNOWN, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uid_map map;

        uid_map_parse(cases[i].in, &map);
        if (map.root != cases[i].want)
            fail_msg("case %zu", i);
        if (map.root == UID_MAP_MAPPED)
            assert_int_equal(map.outside, cases[i].outside);
    }
}

static void capabilities_have_names(void **state)
{
    char buf[256];
    struct text t = text_over(buf, sizeof(buf));

    (void)state;
    assert_string_equal(capability_name(10), "CAP_NET_BIND_SERVICE");
    assert_string_equal(capability_name(40), "CAP_CHECKPOINT_RESTORE");
    assert_null(capability_name(41));
    assert_int_equal(capability_bit("CAP_SYS_ADMIN"), 21);
    assert_int_equal(capability_bit("net_bind_service"), 10);
    assert_int_equal(capability_bit("CAP_NONSENSE"), -1);
    assert_int_equal(capability_bit(""), -1);
    capability_add_set(&t, UINT64_C(1) << 21 | UINT64_C(1) << 50);
    assert_string_equal(buf, "CAP_SYS_ADMIN (bit 21), bit 50");
}

static void privileged_groups(void **state)
{
    const struct span file =
        LIT("root:x:0:\nadm:x:4:\ndocker:x:999:a,b\n"
            "staff:x:50:\nodd:x:6:\n:x:15\nlxd:x:zz:\nlxd");

    (void)state;
    assert_span(group_file_privileged(file, 999), LIT("docker"));
    assert_span(group_file_privileged(file, 4), LIT("adm"));
    assert_int_equal(group_file_privileged(file, 50).len, 0);
    assert_int_equal(group_file_privileged(file, 0).len, 0);
    /* The image gives that number to another group. */
    assert_int_equal(group_file_privileged(file, 6).len, 0);
    /* An image without the file. */
    assert_span(group_file_privileged(LIT(""), 6), LIT("disk"));
    assert_span(group_file_privileged(LIT(""), 42), LIT("shadow"));
    assert_int_equal(group_file_privileged(LIT(""), 65532).len, 0);
}

static void dates(void **state)
{
    const struct {
        struct span in;
        uint32_t days;
    } good[] = {{LIT("1970-01-01"), 0}, {LIT("1970-12-31"), 364},
        {LIT("1972-02-29"), 789}, {LIT("2000-03-01"), 11017},
        {LIT("2026-11-24"), 20781}, {LIT("2100-03-01"), 47541},
        {LIT("9999-12-31"), 2932896}};
    const struct span bad[] = {LIT(""), LIT("1969-12-31"), LIT("2026-13-01"),
        LIT("2026-00-01"), LIT("2026-01-00"), LIT("2026-02-29"),
        LIT("2100-02-29"), LIT("2026-04-31"), LIT("2026-1-01"),
        LIT("2026-01-011"), LIT("2026/01/01"), LIT("+026-01-01"),
        LIT("2026-0a-01")};
    uint32_t days = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char text[CIVIL_DATE_TEXT];

        assert_true(civil_date_parse(good[i].in, &days));
        assert_int_equal(days, good[i].days);
        civil_date_format(days, text);
        assert_memory_equal(text, good[i].in.ptr, good[i].in.len + 1);
    }
    /* Every day of four centuries there and back. */
    for (uint32_t day = 0; day < 146097; day++) {
        char text[CIVIL_DATE_TEXT];

        civil_date_format(day, text);
        assert_true(civil_date_parse(span_str(text), &days));
        assert_int_equal(days, day);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(civil_date_parse(bad[i], &days));
}

static bool has_option(const char *line, const char *option)
{
    struct mountinfo mount;

    return mountinfo_parse(span_str(line), &mount) &&
           mountinfo_has_option(&mount, option);
}

static void lines_of_mountinfo(void **state)
{
    static const char fuse[] =
        "36 35 0:41 /a /mnt/a\\040- rw,noatime shared:1 - fuse.x src "
        "rw,user_id=0,default_permissions,allow_other\n";
    struct mountinfo mount;

    (void)state;
    assert_true(mountinfo_parse(span_str(fuse), &mount));
    assert_span(mount.device, LIT("0:41"));
    assert_span(mount.root, LIT("/a"));
    assert_span(mount.point, LIT("/mnt/a\\040-"));
    assert_span(mount.options, LIT("rw,noatime"));
    assert_span(mount.type, LIT("fuse.x"));
    assert_true(has_option(fuse, "default_permissions"));
    assert_true(has_option(fuse, "user_id"));
    assert_true(has_option(fuse, "allow_other"));
    assert_false(has_option(fuse, "default"));
    assert_false(has_option(fuse, "noatime"));
    /* No optional field, no options of the file system, no dash. */
    assert_true(has_option("1 2 0:3 / / rw - virtiofs x rw,dax", "dax"));
    assert_false(has_option("1 2 0:3 / / rw,dax - virtiofs x", "dax"));
    assert_false(has_option("1 2 0:3 / / dax rw", "dax"));
    assert_false(mountinfo_parse(LIT(""), &mount));
    assert_false(mountinfo_parse(LIT("36 35"), &mount));
}

static void paths_of_mountinfo(void **state)
{
    char path[16];

    (void)state;
    assert_true(
        mountinfo_unescape(LIT("/a\\040b\\134\\011"), path, sizeof(path)));
    assert_string_equal(path, "/a b\\\t");
    assert_true(mountinfo_unescape(LIT("/a\\04"), path, sizeof(path)));
    assert_string_equal(path, "/a\\04");
    assert_true(mountinfo_unescape(LIT("/a\\777"), path, sizeof(path)));
    assert_string_equal(path, "/a\\777");
    assert_true(mountinfo_unescape(LIT("123456789012345"), path, sizeof(path)));
    assert_false(
        mountinfo_unescape(LIT("1234567890123456"), path, sizeof(path)));
    assert_false(mountinfo_unescape(LIT(""), path, 0));
}

static void cgroup_files(void **state)
{
    const struct span hybrid =
        LIT("12:pids:/p\n9:cpu,memory:/docker/a\n1:name=systemd:/s\n0::/u\n");
    struct span path = LIT("");

    (void)state;
    assert_true(cgroup_path(hybrid, "memory", &path));
    assert_span(path, LIT("/docker/a"));
    assert_true(cgroup_path(hybrid, NULL, &path));
    assert_span(path, LIT("/u"));
    assert_true(cgroup_path(LIT("0::/"), NULL, &path));
    assert_span(path, LIT("/"));
    assert_false(cgroup_path(LIT("0::/\n"), "memory", &path));
    assert_false(cgroup_path(LIT("1:name=systemd:/s\n"), NULL, &path));
    assert_false(cgroup_path(LIT("2:memory:\n2:mem:/a"), "memory", &path));
    assert_false(cgroup_path(LIT(""), NULL, &path));
}

static void cgroup_limits(void **state)
{
    uint64_t limit = 0;

    (void)state;
    assert_true(cgroup_limit(LIT("max\n"), &limit));
    assert_true(limit == UINT64_MAX);
    assert_true(cgroup_limit(LIT("268435456\n"), &limit));
    assert_int_equal(limit, 268435456);
    /* Version 1 has no word for none, and pages of 4 and of 64 KiB. */
    assert_true(cgroup_limit(LIT("9223372036854771712\n"), &limit));
    assert_true(limit == UINT64_MAX);
    assert_true(cgroup_limit(LIT("9223372036854710272\n"), &limit));
    assert_true(limit == UINT64_MAX);
    assert_false(cgroup_limit(LIT("-1\n"), &limit));
    assert_false(cgroup_limit(LIT(""), &limit));
    assert_false(cgroup_limit(LIT("maximum"), &limit));
}

static void cgroup_quotas(void **state)
{
    uint64_t cpus = 7;

    (void)state;
    assert_true(cgroup_cpus(LIT("max 100000\n"), &cpus));
    assert_true(cpus == UINT64_MAX);
    assert_true(cgroup_cpus(LIT("200000 100000\n"), &cpus));
    assert_int_equal(cpus, 2);
    assert_true(cgroup_cpus(LIT("200001 100000\n"), &cpus));
    assert_int_equal(cpus, 3);
    assert_true(cgroup_cpus(LIT("1000 100000\n"), &cpus));
    assert_int_equal(cpus, 1);
    assert_true(cgroup_cpus(LIT("18446744073709551615 1"), &cpus));
    assert_true(cpus == UINT64_MAX);
    assert_true(cgroup_cpus_v1(LIT("-1\n"), LIT("100000\n"), &cpus));
    assert_true(cpus == UINT64_MAX);
    assert_true(cgroup_cpus_v1(LIT("150000\n"), LIT("100000\n"), &cpus));
    assert_int_equal(cpus, 2);
    assert_false(cgroup_cpus(LIT(""), &cpus));
    assert_false(cgroup_cpus(LIT("200000"), &cpus));
    assert_false(cgroup_cpus(LIT("200000 0"), &cpus));
    assert_false(cgroup_cpus(LIT("-1 100000"), &cpus));
    assert_false(cgroup_cpus(LIT("200000 100000 "), &cpus));
    assert_false(cgroup_cpus_v1(LIT("max"), LIT("100000"), &cpus));
    assert_false(cgroup_cpus_v1(LIT("150000"), LIT(""), &cpus));
    assert_int_equal(cpus, 2);
}

static void file_capabilities(void **state)
{
    /* CAP_NET_BIND_SERVICE permitted, as setcap writes it. */
    const struct span v2 = LIT("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    const struct span v3 =
        LIT("\1\0\0\3\0\0\0\0\0\4\0\0\200\0\0\0\0\0\0\0\350\3\0\0");
    const struct span v1 = LIT("\0\0\0\1\0\4\0\0\0\0\0\0");
    struct file_capability found = {.set = 0};

    (void)state;
    assert_true(file_capability_parse(v2, &found));
    assert_int_equal(found.set, 1 << 10);
    assert_int_equal(found.needed, 1 << 10);
    assert_true(file_capability_parse(v3, &found));
    assert_true(found.set == (UINT64_C(1) << 39 | 1 << 10));
    assert_true(found.needed == UINT64_C(1) << 39);
    assert_true(file_capability_parse(v1, &found));
    assert_int_equal(found.set, 1 << 10);
    assert_int_equal(found.needed, 0);
    for (size_t len = 0; len < v2.len; len++)
        assert_false(file_capability_parse(span_of(v2.ptr, len), &found));
    assert_false(file_capability_parse(LIT("\0\0\0\4\0\0\0\0"), &found));
}

static void files_of_loader_variables(void **state)
{
    const struct {
        const char *name;
        const char *value;
        const char *files[4];
    } cases[] = {
        {"LD_PRELOAD", "/a.so:/b.so /c.so", {"/a.so", "/b.so", "/c.so"}},
        {"LD_PRELOAD", " :x.so: ", {"x.so"}},
        {"LD_LIBRARY_PATH", "/a;/b:", {"/a", "/b"}},
        {"OPENSSL_CONF", "/etc/with a:colon", {"/etc/with a:colon"}},
        {"SSLKEYLOGFILE", "", {NULL}},
        {"GLIBC_TUNABLES", "glibc.malloc.check=1:/x", {NULL}},
        {"NOT_OF_THE_LOADER", "/a", {NULL}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span rest = span_str(cases[i].value);
        size_t count = 0;

        for (; cases[i].files[count] != NULL; count++) {
            assert_true(span_eq(loader_variable_file(cases[i].name, &rest),
                span_str(cases[i].files[count])));
        }
        assert_int_equal(loader_variable_file(cases[i].name, &rest).len, 0);
        assert_int_equal(
            loader_variable_files(cases[i].name, cases[i].value), count);
    }
    assert_null(loader_variable_name(loader_variable_count()));
    assert_string_equal(loader_variable_name(0), "LD_PRELOAD");
}

RUN_TESTS("parsers", cmocka_unit_test(files_of_loader_variables),
    cmocka_unit_test(cgroup_files), cmocka_unit_test(cgroup_limits),
    cmocka_unit_test(cgroup_quotas), cmocka_unit_test(file_capabilities),
    cmocka_unit_test(paths_of_mountinfo), cmocka_unit_test(dates),
    cmocka_unit_test(privileged_groups), cmocka_unit_test(status_of_a_process),
    cmocka_unit_test(what_is_absent_or_malformed_is_not_known),
    cmocka_unit_test(uid_maps), cmocka_unit_test(lines_of_mountinfo),
    cmocka_unit_test(capabilities_have_names));
