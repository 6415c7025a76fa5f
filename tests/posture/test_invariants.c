/*
 * Every row of the table against facts made up for it: at least one fixture
 * that passes and one that fails, and a test that no row is without.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "posture/check.h"
#include "posture/facts.h"

#include "cmocka_all.h"

/* A good process: uid 65532, nothing held, nothing configured badly. */
static struct posture_policy *policy;
static struct posture_facts *facts;
static struct posture_report *report;

static void add_component_to(
    struct fact_directory *dir, const char *path, uint32_t uid, uint32_t mode)
{
    struct fact_component *c = &dir->components[dir->component_count++];

    (void)strncpy(c->path, path, sizeof(c->path) - 1);
    c->uid = uid;
    c->mode = mode;
}

static void add_component(const char *path, uint32_t uid, uint32_t mode)
{
    add_component_to(&facts->cert_cache, path, uid, mode);
}

static void add_listening(const char *ip, uint16_t port, int fd)
{
    struct fact_socket *s = &facts->sockets.list[facts->sockets.count++];
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&s->addr;

    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, ip, &v4->sin_addr), 1);
    s->addr_len = sizeof(*v4);
    s->fd = fd;
    s->family = AF_INET;
    s->type = SOCK_STREAM;
    s->protocol = IPPROTO_TCP;
}

static const char *no_x(const char *value)
{
    return strchr(value, 'x') == NULL ? NULL : "it holds an x";
}

static struct fact_number number(uint64_t value)
{
    return (struct fact_number){.known = true, .value = value};
}

static struct fact_number unread(int error)
{
    return (struct fact_number){.error = error};
}

static void set_up_host(void)
{
    facts->executable = (struct fact_program){.path = "/usr/bin/relay",
        .mode = S_IFREG | 0755,
        .writable = number(0),
        .directory_writable = number(0),
        .capabilities = number(0)};
    facts->host.sys_read_only = number(1);
    facts->host.root_read_only = number(0);
    facts->host.memory_limit = number(UINT64_C(512) << 20);
    facts->host.memory = number(UINT64_C(64) << 30);
}

static void set_up_process(void)
{
    facts->process = (struct fact_process){
        .no_new_privs = number(1),
        .bounding = number(0),
        .dumpable = number(0),
        .core_limit = number(UINT64_MAX),
        .core_soft = number(0),
        .core_sink = number(FACT_CORE_FILE),
        .descriptors = number(1000),
        .tracer = number(0),
        .personality = number(0),
        .randomize_va_space = number(2),
        .entropy = number(1),
        .namespaces = {number(4026532000), number(4026532001),
            number(4026532002)},
        .seccomp = number(2),
        .label_error = EINVAL,
        .preload_file = number(0),
    };
}

static int set_up(void **state)
{
    (void)state;
    policy = posture_policy_new();
    assert_non_null(policy);
    assert_int_equal(posture_policy_set_mode_variable(policy, "PROD"), 0);
    assert_int_equal(posture_policy_add_variable(
                         policy, &(struct posture_variable){.name = "SWITCH",
                                     .shape = POSTURE_SHAPE_FLAG}),
        0);
    assert_int_equal(posture_policy_add_variable(policy,
                         &(struct posture_variable){
                             .name = "SECRET", .secret = true, .check = no_x}),
        0);
    assert_int_equal(posture_policy_set_cert_cache(policy, "/var/cache/r"), 0);
    assert_int_equal(posture_policy_set_single_instance(
                         policy, "SINGLE", "/var/cache/r/lock"),
        0);
    assert_int_equal(posture_policy_expect_listener(
                         policy, "127.0.0.1:8443", "--https-listen"),
        0);
    posture_policy_set_mode(policy, POSTURE_MODE_PRODUCTION);
    assert_int_equal(facts_new(policy, &facts), 0);
    facts->linux_facts = true;
    facts->now = 1900000000; /* 2030-03-17 */
    facts->euid = 65532;
    facts->egid = 65532;
    facts->ids = (struct fact_ids){.known = true,
        .real = 65532,
        .effective = 65532,
        .saved = 65532,
        .filesystem = 65532};
    facts->capabilities.known = true;
    facts->user_namespace.known = true;
    set_up_process();
    set_up_host();
    add_component("/", 0, S_IFDIR | 0755);
    add_component("/var", 0, S_IFDIR | 0755);
    add_component("/var/cache", 0, S_IFDIR | 0755);
    add_component("/var/cache/r", 65532, S_IFDIR | 0700);
    report = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    posture_report_free(report);
    facts_free(facts);
    posture_policy_free(policy);
    return 0;
}

static void judge(enum posture_phase phase, unsigned flags)
{
    posture_report_free(report);
    report = calloc(1, sizeof(*report));
    assert_non_null(report);
    report->phase = phase;
    report->flags = flags;
    check_judge(policy, facts, report);
    assert_false(report->no_memory);
}

/* ---- the fixtures: a change to the good process, and what it leads to ---- */

static void nothing(void)
{
}
static void mode_true(void)
{
    facts->mode_value = "true";
}
static void mode_one(void)
{
    facts->mode_value = "1";
}
static void switch_yes(void)
{
    facts->variables[0] = "yes";
}
static void switch_link(void)
{
    facts->variables[0] = "tcp://10.0.0.1:80";
}
static void secret_bad(void)
{
    facts->variables[1] = "swordfish-x";
}
static void problem(void)
{
    (void)posture_policy_add_problem(
        policy, &(struct posture_problem){.key = "--n",
                    .observed = "0",
                    .expected = "more",
                    .reason = "too few",
                    .fix = "--n 1"});
}
static void euid_0(void)
{
    facts->ids.effective = 0;
}
static void ruid_0(void)
{
    facts->ids.real = 0;
}
static void suid_0(void)
{
    facts->ids.saved = 0;
}
static void fsuid_0(void)
{
    facts->ids.filesystem = 0;
}
static void mapped_root(void)
{
    facts->ids.effective = 0;
    facts->user_namespace = (struct fact_user_namespace){
        .known = true, .root_is_mapped = true, .root_outside = 100000};
}
static void ids_lie(void)
{
    facts->ids.contradicted = true;
}
static void suid_unknown(void)
{
    facts->ids.saved_error = EPERM;
    facts->ids.saved = 0; /* not read, so not root */
}
static void fsuid_unknown(void)
{
    facts->ids.filesystem_error = EPERM;
    facts->ids.filesystem = 0;
}
static void ruid_0_fsuid_unknown(void)
{
    ruid_0();
    fsuid_unknown();
}
static void portable_ids(void)
{
    suid_unknown();
    fsuid_unknown();
    facts->linux_facts = false;
}
static void status_unread(void)
{
    facts->status_error = EFBIG;
}
static void ids_unknown(void)
{
    facts->ids = (struct fact_ids){.error = EPERM};
}
static void cap_bind(void)
{
    facts->capabilities.effective = facts->capabilities.permitted = 1U << 10;
}
static void cap_admin(void)
{
    facts->capabilities.effective = facts->capabilities.permitted = 1U << 21;
}
static void cap_admin_permitted(void)
{
    facts->capabilities.permitted = 1U << 21;
}
static void cap_admin_in_namespace(void)
{
    cap_admin();
    facts->user_namespace.some_unmapped = true;
}

static void cap_ambient(void)
{
    facts->capabilities.ambient = 1U << 21;
}
static void cap_inheritable(void)
{
    facts->capabilities.inheritable = 1U << 21;
}
static void cap_admin_and_inheritable(void)
{
    cap_admin();
    facts->capabilities.inheritable = 1U << 19;
}
static void cap_ambient_unknown(void)
{
    facts->capabilities.ambient_error = EPERM;
}
static void cap_admin_ambient_unknown(void)
{
    cap_admin();
    cap_ambient_unknown();
}
static void cap_nameless(void)
{
    facts->capabilities.effective = UINT64_C(1) << 60;
}
static void caps_lie(void)
{
    facts->capabilities.contradicted = true;
}
static void caps_unknown(void)
{
    facts->capabilities = (struct fact_capabilities){.error = EPERM};
}
static void not_linux(void)
{
    facts->linux_facts = false;
}
static struct fact_component *last(void)
{
    return &facts->cert_cache.components[3];
}
static struct fact_component *parent(void)
{
    return &facts->cert_cache.components[2];
}
static void dir_0750(void)
{
    last()->mode = S_IFDIR | 0750;
}
static void dir_0500(void)
{
    last()->mode = S_IFDIR | 0500;
}
static void dir_setgid(void)
{
    last()->mode = S_IFDIR | 02700;
}
static void dir_theirs(void)
{
    last()->uid = 1000;
}
static void dir_link(void)
{
    last()->mode = S_IFLNK | 0777;
}
static void dir_file(void)
{
    last()->mode = S_IFREG | 0600;
}
static void parent_open(void)
{
    parent()->mode = S_IFDIR | 0777;
}
static void parent_sticky(void)
{
    parent()->mode = S_IFDIR | 01777;
}
static void parent_open_read_only(void)
{
    parent()->mode = S_IFDIR | 0777;
    parent()->read_only = true;
}
static void parent_theirs(void)
{
    parent()->uid = 1000;
}
static void dir_missing(void)
{
    facts->cert_cache.component_count = 3;
    facts->cert_cache.missing = true;
}
static void dir_missing_open(void)
{
    dir_missing();
    parent_open();
}
static void walk_eacces(void)
{
    facts->cert_cache.error = EACCES;
}
static void walk_enotdir(void)
{
    facts->cert_cache.error = ENOTDIR;
}
static void no_listing(void)
{
    facts->cert_cache.files_error = EACCES;
}
static void theirs_no_listing(void)
{
    dir_theirs();
    no_listing();
}
static void no_modes(void)
{
    last()->made_up = "CIFS";
}
static void parent_no_modes(void)
{
    parent()->made_up = "9p";
}
static void dir_missing_no_modes(void)
{
    dir_missing();
    parent_no_modes();
    parent()->on_root = true;
}
static void open_root_no_modes(void)
{
    facts->cert_cache.components[0].mode = S_IFDIR | 0777;
    no_modes();
}
/* The platform's choice, above all that the deployer has a say in. */
static void root_no_modes(void)
{
    facts->cert_cache.components[0].made_up = "9p";
    facts->cert_cache.components[0].on_root = true;
}
static void walk_obstacle(enum fact_obstacle obstacle, int error)
{
    facts->cert_cache.component_count = 3;
    facts->cert_cache.obstacle = obstacle;
    facts->cert_cache.error = error;
    (void)strncpy(facts->cert_cache.at, "/var/cache/r", 13);
}
static void walk_empty(void)
{
    walk_obstacle(FACT_OBSTACLE_EMPTY, ENOENT);
    facts->cert_cache.at[0] = '\0';
}
static void walk_no_cwd(void)
{
    walk_obstacle(FACT_OBSTACLE_CWD, ENOENT);
}
static void walk_long(void)
{
    walk_obstacle(FACT_OBSTACLE_LENGTH, ENAMETOOLONG);
}
static void walk_deep(void)
{
    walk_obstacle(FACT_OBSTACLE_DEPTH, ENAMETOOLONG);
}
static void walk_long_name(void)
{
    walk_obstacle(FACT_OBSTACLE_ERRNO, ENAMETOOLONG);
}
static void missing_and_long_name(void)
{
    dir_missing();
    facts->cert_cache.error = ENAMETOOLONG;
}
static void dir_missing_sticky(void)
{
    dir_missing();
    parent()->mode = S_IFDIR | 01777;
}
static void key_0640(void)
{
    facts->cert_cache.files[0] =
        (struct fact_file){.name = "key", .uid = 65532, .mode = S_IFREG | 0640};
    facts->cert_cache.file_count = 1;
}
static void key_theirs(void)
{
    facts->cert_cache.files[0] =
        (struct fact_file){.name = "key", .uid = 0, .mode = S_IFREG | 0644};
    facts->cert_cache.file_count = 1;
}
static void key_pipe(void)
{
    facts->cert_cache.files[0] =
        (struct fact_file){.name = "key", .uid = 65532, .mode = S_IFIFO | 0600};
    facts->cert_cache.file_count = 1;
}
static void no_cache(void)
{
    policy->cert_cache = NULL;
}
static void plaintext(void)
{
    (void)posture_policy_set_plaintext_listener(
        policy, "--insecure-listen", "0.0.0.0:80");
}
static void debug_port(void)
{
    add_listening("0.0.0.0", 6060, 5);
}
static void handed_over(void)
{
    debug_port();
    facts->sockets.list[0].activated = true;
}
static void activated(void)
{
    handed_over();
    posture_policy_allow_activation(policy);
}
static void activated_and_another(void)
{
    activated();
    add_listening("127.0.0.1", 6061, 4);
}
static void udp_port(void)
{
    debug_port();
    facts->sockets.list[0].type = SOCK_DGRAM;
    facts->sockets.list[0].protocol = IPPROTO_UDP;
}
static void sockets_unread(void)
{
    facts->sockets.error = ENOENT;
    facts->sockets.error_fd = -1;
}
static void socket_unread(void)
{
    facts->sockets.error = EPERM;
    facts->sockets.error_fd = 5;
}
static void port_and_unread(void)
{
    debug_port();
    sockets_unread();
}
static void too_many(void)
{
    facts->sockets.left_out = 3;
}
static void unix_listener(void)
{
    struct fact_socket *s = &facts->sockets.list[facts->sockets.count++];
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&s->addr;

    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, "\0debug", 6);
    s->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
    s->family = AF_UNIX;
    s->type = SOCK_STREAM;
}
static void unix_datagram(void)
{
    unix_listener();
    facts->sockets.list[0].type = SOCK_DGRAM;
}
static void vsock_listener(void)
{
    debug_port();
    facts->sockets.list[0].family = AF_VSOCK;
    facts->sockets.list[0].addr.ss_family = AF_VSOCK;
}
static void expect(const char *address)
{
    assert_int_equal(
        posture_policy_expect_listener(policy, address, "--more"), 0);
}
static void udp_expected(void)
{
    udp_port();
    expect("udp:0.0.0.0:6060");
}
static void udp_expected_of_another_port(void)
{
    udp_port();
    expect("udp:0.0.0.0:6061");
}
static void tcp_where_udp_is_expected(void)
{
    debug_port();
    expect("udp:0.0.0.0:6060");
}
static void abstract_expected(void)
{
    unix_listener();
    expect("unix:@debug");
}
static void abstract_expected_with_more(void)
{
    unix_listener();
    expect("unix:@debugger");
}
static void datagram_where_unix_is_expected(void)
{
    unix_datagram();
    expect("unix:@debug");
}
static void unix_path_expected(void)
{
    struct fact_socket *s = &facts->sockets.list[0];
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&s->addr;

    unix_listener();
    memcpy(un->sun_path, "/run/x", 7);
    s->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 7);
    s->type = SOCK_SEQPACKET;
    expect("unix:/run/x");
}
static void plan_udp(void)
{
    assert_int_equal(
        posture_policy_plan_listener(policy, "udp:127.0.0.1:8443", "--q"), 0);
}
static void plan_udp_expected(void)
{
    plan_udp();
    expect("udp:127.0.0.1:8443");
}
static void plan_as_expected(void)
{
    (void)posture_policy_plan_listener(
        policy, "127.0.0.1:8443", "--https-listen");
}
static void plan_debug(void)
{
    plan_as_expected();
    (void)posture_policy_plan_listener(policy, "0.0.0.0:6060", "DEBUG_PORT");
}
static void plan_twice(void)
{
    plan_as_expected();
    plan_as_expected();
}
static void plan_all_for_one(void)
{
    (void)posture_policy_plan_listener(policy, ":8443", "--https-listen");
}
static void as_expected(void)
{
    add_listening("127.0.0.1", 8443, 7);
}
static void wrong_host(void)
{
    add_listening("0.0.0.0", 8443, 7);
}
static void one_more(void)
{
    as_expected();
    debug_port();
}
static void mptcp(void)
{
    as_expected();
    facts->sockets.list[0].protocol = 262;
}
static void sctp(void)
{
    as_expected();
    facts->sockets.list[0].protocol = IPPROTO_SCTP;
}
static void expect_again(void)
{
    (void)posture_policy_expect_listener(
        policy, "127.0.0.1:8443", "--https-listen");
}
static void two_on_one_address(void)
{
    as_expected();
    add_listening("127.0.0.1", 8443, 8);
}
static void two_workers(void)
{
    two_on_one_address();
    expect_again();
}
static void one_of_two_workers(void)
{
    as_expected();
    expect_again();
}
static void expect_all(void)
{
    as_expected();
    (void)posture_policy_expect_listener(policy, ":9443", "--listen");
}
static void any_ipv6(void)
{
    struct fact_socket *s = NULL;
    struct sockaddr_in6 *v6 = NULL;

    expect_all();
    add_listening("0.0.0.0", 9443, 9);
    s = &facts->sockets.list[1];
    v6 = (struct sockaddr_in6 *)(void *)&s->addr;
    *v6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(9443)};
    s->addr_len = sizeof(*v6);
    s->family = AF_INET6;
}
static void any_ipv6_only(void)
{
    any_ipv6();
    facts->sockets.list[1].v6_only = 1;
}
static void any_ipv4(void)
{
    expect_all();
    add_listening("0.0.0.0", 9443, 9);
}
static void any_ipv4_without_ipv6(void)
{
    any_ipv4();
    facts->sockets.no_ipv6 = true;
}
static void bound_unread(void)
{
    as_expected();
    socket_unread();
}
static void on_fly(void)
{
    facts->scale_out = "FLY_APP_NAME";
}
static void on_fly_asserted(void)
{
    on_fly();
    facts->single_instance = "1";
}
static void on_fly_not_quite(void)
{
    on_fly();
    facts->single_instance = "yes";
}
static void on_fly_shared(void)
{
    on_fly();
    posture_policy_set_shared_backend(policy);
}
static void lock_held(void)
{
    facts->lock.held = true;
}
static void lock_eacces(void)
{
    facts->lock.error = EACCES;
}
static void lock_pipe(void)
{
    facts->lock.not_regular = true;
}
static void many_may_run(void)
{
    policy->single_instance = false;
}

/* ---- the process itself ---- */

static void no_nnp(void)
{
    facts->process.no_new_privs.value = 0;
}

static void regainable(void)
{
    no_nnp();
    facts->process.bounding.value = 1U << 21;
}

static void nnp_alone(void)
{
    facts->process.bounding.value = 1U << 21;
}

static void bounding_alone(void)
{
    no_nnp();
    facts->process.bounding.value = 1U << 10;
}

static void nnp_unknown(void)
{
    facts->process.no_new_privs = (struct fact_number){.error = EPERM};
    facts->process.bounding.value = 1U << 21;
}

static void nnp_nothing_known(void)
{
    facts->process.no_new_privs = (struct fact_number){.error = EPERM};
    facts->process.bounding = (struct fact_number){.error = ENOSYS};
}

static void nnp_lies(void)
{
    facts->process.no_new_privs_contradicted = true;
}

static void bounding_lies(void)
{
    no_nnp();
    facts->process.bounding_contradicted = true;
}

static void regainable_sealed_later(void)
{
    regainable();
    posture_policy_declare_seal(policy, POSTURE_SEALS_NO_NEW_PRIVS);
}

static void nnp_sealed(void)
{
    posture_policy_declare_seal(policy, POSTURE_SEALS_NO_NEW_PRIVS);
}

static void preload(void)
{
    facts->process.loader[0] =
        (struct fact_variable){"LD_PRELOAD", "/tmp/x.so"};
    facts->process.loader_count = 1;
}

static void preload_allowed(void)
{
    preload();
    assert_int_equal(
        posture_policy_allow_environment(policy, "LD_PRELOAD", "/tmp/x.so"), 0);
}

/* The way to what LD_PRELOAD names. */
static void preload_at(uint32_t directory, uint32_t uid, uint32_t mode)
{
    preload_allowed();
    add_component_to(facts->allowed_files, "/", 0, S_IFDIR | 0755);
    add_component_to(facts->allowed_files, "/tmp", 0, S_IFDIR | directory);
    add_component_to(facts->allowed_files, "/tmp/x.so", uid, S_IFREG | mode);
}

static void preload_fine(void)
{
    preload_at(0755, 0, 0644);
}

static void preload_writable(void)
{
    preload_at(0755, 0, 0666);
}

static void preload_theirs(void)
{
    preload_at(01777, 1000, 0644);
}

static void preload_in_open_directory(void)
{
    preload_at(0777, 0, 0644);
}

static void preload_missing(void)
{
    preload_at(0755, 0, 0644);
    facts->allowed_files->component_count--;
    facts->allowed_files->missing = true;
}

static void preload_hidden(void)
{
    preload_missing();
    facts->allowed_files->missing = false;
    facts->allowed_files->error = EACCES;
    (void)strcpy(facts->allowed_files->at, "/tmp/x.so");
}

static void preload_by_name(void)
{
    facts->process.loader[0] = (struct fact_variable){"LD_PRELOAD", "x.so"};
    facts->process.loader_count = 1;
    assert_int_equal(
        posture_policy_allow_environment(policy, "LD_PRELOAD", "x.so"), 0);
}

static void tunables_allowed(void)
{
    facts->process.loader[0] =
        (struct fact_variable){"GLIBC_TUNABLES", "glibc.rtld.optional=1"};
    facts->process.loader_count = 1;
    assert_int_equal(posture_policy_allow_environment(
                         policy, "GLIBC_TUNABLES", "glibc.rtld.optional=1"),
        0);
}

static void preload_not_quite(void)
{
    preload();
    assert_int_equal(
        posture_policy_allow_environment(policy, "LD_PRELOAD", "/tmp/y.so"), 0);
}

static void preload_file_there(void)
{
    facts->process.preload_file.value = 1;
}

static void preload_file_eacces(void)
{
    facts->process.preload_file = (struct fact_number){.error = EACCES};
}

static void traced_by_gdb(void)
{
    facts->process.tracer.value = 4711;
    (void)strcpy(facts->process.tracer_name, "gdb");
}

static void traced_by_hidden(void)
{
    facts->process.tracer.value = 4711;
}

static void tracer_unknown(void)
{
    facts->process.tracer = (struct fact_number){.error = ENOENT};
}

static void needs_1000(void)
{
    assert_int_equal(
        posture_policy_set_descriptors(policy, 1000, "900 + 100"), 0);
}

static void needs_2000(void)
{
    assert_int_equal(
        posture_policy_set_descriptors(policy, 2000, "1900 + 100"), 0);
}

static void needs_unlimited(void)
{
    needs_2000();
    facts->process.descriptors.value = UINT64_MAX;
}

static void limit_unknown(void)
{
    needs_2000();
    facts->process.descriptors = (struct fact_number){.error = EPERM};
}

static void clock_1970(void)
{
    facts->now = 12;
}

static void not_seeded(void)
{
    facts->process.entropy = (struct fact_number){.error = EAGAIN};
}

static void no_getrandom(void)
{
    facts->process.entropy = (struct fact_number){.error = ENOSYS};
}

static void setarch_r(void)
{
    facts->process.personality.value = 0x0040000;
}

static void host_aslr_off(void)
{
    facts->process.randomize_va_space.value = 0;
}

static void no_sysctl(void)
{
    facts->process.randomize_va_space = (struct fact_number){.error = ENOENT};
}

static void no_personality(void)
{
    facts->process.personality = (struct fact_number){.error = EPERM};
}

static void in_container(void)
{
    posture_policy_set_container(policy);
}

static void host_pid(void)
{
    in_container();
    facts->process.namespaces[FACTS_NAMESPACE_PID].value = 0xeffffffc;
}

static void ns_hidden(void)
{
    in_container();
    facts->process.namespaces[FACTS_NAMESPACE_UTS] =
        (struct fact_number){.error = ENOENT};
}

static void in_docker_group(void)
{
    facts->process.privileged_group =
        (struct fact_number){.known = true, .value = 999};
    (void)strcpy(facts->process.group_name, "docker");
}

static void groups_unknown(void)
{
    facts->process.groups_error = EPERM;
}

static void no_seccomp(void)
{
    facts->process.seccomp.value = 0;
}

static void apparmor(void)
{
    no_seccomp();
    facts->process.label_error = 0;
    (void)strcpy(facts->process.label, "docker-default (enforce)");
}

static void label(const char *text)
{
    no_seccomp();
    facts->process.label_error = 0;
    (void)strcpy(facts->process.label, text);
}

static void apparmor_mode_unconfined(void)
{
    label("docker-default (unconfined)");
}

static void apparmor_named_kernel(void)
{
    label("my-kernel-watcher (enforce)");
}

static void selinux_container(void)
{
    label("unconfined_u:unconfined_r:container_t:s0:c1,c2");
}

static void selinux_unconfined(void)
{
    label("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023");
}

static void selinux_super(void)
{
    label("system_u:system_r:spc_t:s0");
}

static void apparmor_unconfined(void)
{
    no_seccomp();
    facts->process.label_error = 0;
    (void)strcpy(facts->process.label, "unconfined");
}

static void gvisor(void)
{
    facts->process.seccomp = (struct fact_number){.error = ENOENT};
}

static void label_eacces(void)
{
    no_seccomp();
    facts->process.label_error = EACCES;
}

static void dumpable(void)
{
    facts->process.dumpable.value = 1;
}

static void dumpable_no_file(void)
{
    dumpable();
    facts->process.core_limit.value = 0;
}

static void dumpable_piped(void)
{
    dumpable_no_file();
    facts->process.core_sink.value = FACT_CORE_PROGRAM;
}

static void dumpable_pattern_hidden(void)
{
    dumpable_no_file();
    facts->process.core_sink = (struct fact_number){.error = ENOENT};
}

static void core_limit_1(uint64_t sink)
{
    dumpable();
    facts->process.core_limit.value = 1;
    facts->process.core_soft.value = 1;
    facts->process.core_sink.value = sink;
}

static void dumpable_1_file(void)
{
    core_limit_1(FACT_CORE_FILE);
}

static void dumpable_1_program(void)
{
    core_limit_1(FACT_CORE_PROGRAM);
}

static void dumpable_1_lowered(void)
{
    core_limit_1(FACT_CORE_PROGRAM);
    facts->process.core_soft.value = 0;
}

static void dumpable_1_socket(void)
{
    core_limit_1(FACT_CORE_SOCKET);
}

static void undumpable_until_exec(void)
{
    assert_int_equal(posture_policy_set_program(policy, "/opt/app"), 0);
}

static void dumpable_nothing_known(void)
{
    facts->process.dumpable = (struct fact_number){.error = EPERM};
    facts->process.core_limit = (struct fact_number){.error = EPERM};
}

static void dumpable_sealed_later(void)
{
    dumpable();
    posture_policy_declare_seal(policy, POSTURE_SEALS_NOT_DUMPABLE);
}

static void not_dumpable_sealed(void)
{
    posture_policy_declare_seal(policy, POSTURE_SEALS_NOT_DUMPABLE);
}

#define BOOT   POSTURE_PHASE_BOOT
#define SEALED POSTURE_PHASE_SEALED
#define BOUND  POSTURE_PHASE_BOUND

/* clang-format off */
/* ---- files and the host ---- */
/* clang-format off */

static void exe_setuid(void) { facts->executable.mode |= S_ISUID; }
static void exe_setgid(void) { facts->executable.mode |= S_ISGID; }
static void exe_writable(void) { facts->executable.writable.value = 1; }
static void exe_in_tmp(void) { facts->executable.directory_writable.value = 1; }
static void exe_cap_admin(void) { facts->executable.capabilities = number(1 << 21); }
static void exe_cap_bind(void) { facts->executable.capabilities = number(1 << 10); }
static void exe_cap_odd(void) { facts->executable.capabilities = unread(EINVAL); }
static void exe_hidden(void) { facts->executable = (struct fact_program){.error = EACCES}; }
static void exe_memfd(void)
{
    facts->executable = (struct fact_program){
        .path = "/memfd:x (deleted)", .in_memory = true, .mode = 0777};
}
static void exe_deleted(void)
{
    facts->executable.deleted = true;
    facts->executable.directory_writable = (struct fact_number){.known = false};
}
static void exe_error(void) { facts->executable.writable = unread(EIO); }
static void target(uint32_t mode)
{
    assert_int_equal(posture_policy_set_program(policy, "/opt/app"), 0);
    facts->target = facts->executable;
    (void)strcpy(facts->target.path, "/opt/app");
    facts->target.mode = mode;
}
static void target_fine(void) { target(S_IFREG | 0755); }
static void target_setuid(void) { target(S_IFREG | 04755); }
static void target_cannot_start(void)
{
    target_fine();
    facts->target.capabilities = number(1 << 10);
    facts->target.needed = 1 << 10;
}
static void target_can_start(void)
{
    target_cannot_start();
    facts->process.bounding.value = 1 << 10;
}

static void descriptor(int fd, enum fact_descriptor_kind kind, const char *to)
{
    struct fact_descriptor *d =
        &facts->descriptors.list[facts->descriptors.count++];

    d->fd = fd;
    d->kind = kind;
    (void)strncpy(d->target, to, sizeof(d->target) - 1);
}
static void fd_pipe(void) { descriptor(5, FACT_DESCRIPTOR_OTHER, "pipe:[1]"); }
static void fd_directory(void) { descriptor(7, FACT_DESCRIPTOR_DIRECTORY, "/sys/fs/cgroup"); }
static void fd_device(void) { descriptor(3, FACT_DESCRIPTOR_DEVICE, "/dev/sda"); }
static void fd_runtime(void) { descriptor(9, FACT_DESCRIPTOR_RUNTIME_SOCKET, "socket:[4]"); }
static void fd_closed(void) { facts->descriptors.closed_stdio = 1; }
static void fd_unlisted(void) { facts->descriptors.error = ENOENT; }
static void fd_too_many(void) { facts->descriptors.left_out = 3; }

static void access_of(struct fact_access *list, size_t *count, const char *path,
    bool allowed, int error)
{
    struct fact_access *to = &list[(*count)++];

    *to = (struct fact_access){.allowed = allowed, .error = error};
    (void)strncpy(to->path, path, sizeof(to->path) - 1);
}
#define ACCESS(list, count, path, allowed, error)                              \
    access_of(facts->host.list, &facts->host.count, path, allowed, error)
static void socket_open(void) { ACCESS(runtime_sockets, runtime_socket_count, "/run/docker.sock", true, 0); }
static void socket_closed(void) { ACCESS(runtime_sockets, runtime_socket_count, "/run/docker.sock", false, 0); }
static void socket_odd(void) { ACCESS(runtime_sockets, runtime_socket_count, "/run/docker.sock", false, EIO); }
static void mounts_hidden(void) { facts->host.mounts_error = ENOENT; }
static void knob(void) { ACCESS(knobs, knob_count, "/proc/sysrq-trigger", true, 0); }
static void knob_odd(void) { ACCESS(knobs, knob_count, "/proc/sysrq-trigger", false, EIO); }
static void disk(void) { ACCESS(devices, device_count, "/dev/sda", true, 0); }
static void kernel_log(void) { ACCESS(devices, device_count, "/dev/kmsg", true, 0); }
static void kernel_log_in_container(void)
{
    posture_policy_set_container(policy);
    kernel_log();
}
static void sys_writable(void) { facts->host.sys_read_only.value = 0; }
static void sys_writable_in_docker(void)
{
    facts->platform = POSTURE_PLATFORM_DOCKER;
    sys_writable();
}
static void sys_absent_in_docker(void)
{
    facts->platform = POSTURE_PLATFORM_DOCKER;
    facts->host.sys_read_only = unread(ENOENT);
}
static void root_read_only(void) { facts->host.root_read_only.value = 1; }
static void etc_writable(void)
{
    ACCESS(system, system_count, "/", true, 0);
    ACCESS(system, system_count, "/etc", true, 0);
}
static void etc_odd(void) { ACCESS(system, system_count, "/etc", false, EIO); }
static void memory_unlimited(void) { facts->host.memory_limit.value = UINT64_MAX; }
static void memory_more_than_there_is(void) { facts->host.memory_limit.value = UINT64_C(1) << 40; }
static void memory_small_guest(void)
{
    memory_unlimited();
    facts->host.memory.value = UINT64_C(2) << 30;
}
static void memory_fly(void)
{
    memory_unlimited();
    facts->platform = POSTURE_PLATFORM_FLY;
}
static void memory_hidden(void) { facts->host.memory_limit = unread(ENOENT); }

static struct fact_directory *key_at(const char *dir, uint32_t dir_uid, uint32_t dir_mode)
{
    assert_int_equal(posture_policy_add_key_file(policy, "/k/key", "--key"), 0);
    free(facts->key_files);
    facts->key_files = calloc(1, sizeof(*facts->key_files));
    assert_non_null(facts->key_files);
    add_component_to(facts->key_files, "/", 0, S_IFDIR | 0755);
    add_component_to(facts->key_files, dir, dir_uid, S_IFDIR | dir_mode);
    return facts->key_files;
}
static void key(uint32_t uid, uint32_t gid, uint32_t mode)
{
    struct fact_directory *dir = key_at("/k", 0, 0755);

    add_component_to(dir, "/k/key", uid, mode);
    dir->components[2].gid = gid;
    dir->components[2].links = 1;
}
static void our_groups(void)
{
    free(facts->groups);
    facts->groups = malloc(2 * sizeof(*facts->groups));
    assert_non_null(facts->groups);
    facts->groups[0] = 65532;
    facts->groups[1] = 2000;
    facts->group_count = 2;
}
static void key_ours(void) { key(65532, 65532, S_IFREG | 0400); }
static void key_ours_0640(void) { key(65532, 65532, S_IFREG | 0640); }
static void key_ours_executable(void) { key(65532, 65532, S_IFREG | 0700); }
static void key_roots_for_us(void)
{
    our_groups();
    key(0, 2000, S_IFREG | 0440);
}
static void key_roots_for_others(void)
{
    our_groups();
    key(0, 3000, S_IFREG | 0440);
}
static void key_roots_for_all(void)
{
    our_groups();
    key(0, 2000, S_IFREG | 0444);
}
static void key_of_somebody(void) { key(1000, 65532, S_IFREG | 0600); }
static void key_directory(void) { key(65532, 65532, S_IFDIR | 0700); }
static void key_in_open_directory(void)
{
    struct fact_directory *dir = key_at("/k", 0, 0777);

    add_component_to(dir, "/k/key", 65532, S_IFREG | 0400);
    dir->components[2].links = 1;
}
/* kubernetes: a read-only tmpfs of mode 1777, and two links to the file. */
static void key_of_kubernetes(void)
{
    struct fact_directory *dir = key_at("/k", 0, 01777);

    our_groups();
    dir->components[1].read_only = true;
    add_component_to(dir, "/k/key", 0, S_IFLNK | 0777);
    add_component_to(dir, "/k/..data", 0, S_IFLNK | 0777);
    add_component_to(dir, "/k/..2026", 0, S_IFDIR | 0755);
    dir->components[4].read_only = true;
    add_component_to(dir, "/k/..2026/key", 0, S_IFREG | 0440);
    dir->components[5].gid = 2000;
    dir->components[5].links = 1;
}
static void key_second_name(void)
{
    key_ours();
    facts->key_files[0].components[2].links = 2;
}
static void key_missing(void) { key_at("/k", 0, 0755)->missing = true; }
static void key_denied(void)
{
    struct fact_directory *dir = key_at("/k", 0, 0755);

    dir->error = EACCES;
    (void)strcpy(dir->at, "/k/key");
}

/* clang-format on */

static const struct fixture {
    const char *id;
    const char *name;
    void (*change)(void);
    enum posture_verdict want;
    const char *observed; /* part of it, or NULL */
    enum posture_phase phase;
} fixtures[] = {
    {"config", "nothing set", nothing, POSTURE_PASS, NULL, BOOT},
    {"config", "production said", mode_one, POSTURE_PASS, NULL, BOOT},
    {"config", "production=true", mode_true, POSTURE_FAIL, "true", BOOT},
    {"config", "flag that is yes", switch_yes, POSTURE_FAIL, "yes", BOOT},
    {"config", "kubernetes service link", switch_link, POSTURE_FAIL, "tcp://",
        BOOT},
    {"config", "bad secret", secret_bad, POSTURE_FAIL, "set, 11 bytes", BOOT},
    {"config", "problem of the program", problem, POSTURE_FAIL, "0", BOOT},
    {"running-as-root", "uid 65532", nothing, POSTURE_PASS, "65532", BOOT},
    {"running-as-root", "euid 0", euid_0, POSTURE_FAIL, "effective=0", BOOT},
    {"running-as-root", "ruid 0", ruid_0, POSTURE_FAIL, "real=0", BOOT},
    {"running-as-root", "suid 0", suid_0, POSTURE_FAIL, "saved=0", BOOT},
    {"running-as-root", "fsuid 0", fsuid_0, POSTURE_FAIL, "filesystem=0", BOOT},
    {"running-as-root", "mapped root", mapped_root, POSTURE_FAIL, "100000",
        BOOT},
    {"running-as-root", "sources disagree", ids_lie, POSTURE_FAIL, NULL, BOOT},
    {"running-as-root", "unknown", ids_unknown, POSTURE_UNKNOWN, NULL, BOOT},
    {"running-as-root", "saved id unread", suid_unknown, POSTURE_UNKNOWN,
        "saved=unknown", BOOT},
    {"running-as-root", "filesystem id unread", fsuid_unknown, POSTURE_UNKNOWN,
        "filesystem=unknown", BOOT},
    {"running-as-root", "root all the same", ruid_0_fsuid_unknown, POSTURE_FAIL,
        "real=0", BOOT},
    {"running-as-root", "ids of another system", portable_ids, POSTURE_PASS,
        "saved=unknown", BOOT},
    {"running-as-root", "one source only", status_unread, POSTURE_PASS,
        "could not be read: File too large", BOOT},
    {"capabilities", "none", nothing, POSTURE_PASS, "none", BOOT},
    {"capabilities", "bind service", cap_bind, POSTURE_PASS,
        "CAP_NET_BIND_SERVICE", BOOT},
    {"capabilities", "admin in a user namespace", cap_admin_in_namespace,
        POSTURE_FAIL, "of a user namespace only", BOOT},
    {"capabilities", "admin", cap_admin, POSTURE_FAIL,
        "effective: CAP_SYS_ADMIN (bit 21)", BOOT},
    {"capabilities", "admin permitted only", cap_admin_permitted, POSTURE_FAIL,
        "permitted: CAP_SYS_ADMIN", BOOT},
    {"capabilities", "ambient", cap_ambient, POSTURE_FAIL,
        "ambient: CAP_SYS_ADMIN", BOOT},
    {"capabilities", "inheritable", cap_inheritable, POSTURE_FAIL,
        "inheritable: CAP_SYS_ADMIN", BOOT},
    {"capabilities", "inheritable beside others", cap_admin_and_inheritable,
        POSTURE_FAIL, "inheritable: CAP_SYS_PTRACE (bit 19)", BOOT},
    {"capabilities", "ambient unread", cap_ambient_unknown, POSTURE_UNKNOWN,
        "ambient", BOOT},
    {"capabilities", "ambient unread, admin", cap_admin_ambient_unknown,
        POSTURE_FAIL, "effective: CAP_SYS_ADMIN", BOOT},
    {"capabilities", "one source only", status_unread, POSTURE_PASS,
        "could not be read: File too large", BOOT},
    {"capabilities", "bit without a name", cap_nameless, POSTURE_FAIL, "bit 60",
        BOOT},
    {"capabilities", "sources disagree", caps_lie, POSTURE_FAIL, NULL, BOOT},
    {"capabilities", "unknown", caps_unknown, POSTURE_UNKNOWN, NULL, BOOT},
    {"capabilities", "another system", not_linux, POSTURE_NOT_APPLICABLE, NULL,
        BOOT},
    {"cert-cache", "0700 and ours", nothing, POSTURE_PASS, NULL, BOOT},
    {"cert-cache", "missing", dir_missing, POSTURE_PASS, "missing", BOOT},
    {"cert-cache", "none configured", no_cache, POSTURE_NOT_APPLICABLE, NULL,
        BOOT},
    {"cert-cache", "0750", dir_0750, POSTURE_FAIL, "0750", BOOT},
    {"cert-cache", "0500", dir_0500, POSTURE_FAIL, "0500", BOOT},
    {"cert-cache", "setgid from a volume", dir_setgid, POSTURE_PASS, NULL,
        BOOT},
    {"cert-cache", "somebody else's", dir_theirs, POSTURE_FAIL, "owner 1000",
        BOOT},
    {"cert-cache", "a link", dir_link, POSTURE_FAIL, "/var/cache/r", BOOT},
    {"cert-cache", "a file", dir_file, POSTURE_FAIL, "/var/cache/r", BOOT},
    {"cert-cache", "parent writable by all", parent_open, POSTURE_FAIL,
        "/var/cache: mode 0777", BOOT},
    {"cert-cache", "sticky parent", parent_sticky, POSTURE_PASS, "sticky",
        BOOT},
    {"cert-cache", "read-only parent", parent_open_read_only, POSTURE_PASS,
        NULL, BOOT},
    {"cert-cache", "parent of somebody else", parent_theirs, POSTURE_FAIL,
        "owner 1000", BOOT},
    {"cert-cache", "missing under an open parent", dir_missing_open,
        POSTURE_FAIL, "0777", BOOT},
    {"cert-cache", "cannot be walked", walk_eacces, POSTURE_UNKNOWN,
        "Permission denied", BOOT},
    {"cert-cache", "a file on the way", walk_enotdir, POSTURE_FAIL,
        "Not a directory", BOOT},
    {"cert-cache", "cannot be listed", no_listing, POSTURE_UNKNOWN,
        "Permission denied", BOOT},
    {"cert-cache", "somebody else's, not listed", theirs_no_listing,
        POSTURE_FAIL, "owner 1000", BOOT},
    {"cert-cache", "made-up modes", no_modes, POSTURE_UNKNOWN, NULL, BOOT},
    {"cert-cache", "made-up modes above", parent_no_modes, POSTURE_UNKNOWN,
        "/var/cache: on 9p", BOOT},
    {"cert-cache", "made-up modes where it will be made", dir_missing_no_modes,
        POSTURE_UNKNOWN, "/var/cache: on 9p", BOOT},
    {"cert-cache", "made-up modes below an open directory", open_root_no_modes,
        POSTURE_FAIL, "/: mode 0777", BOOT},
    {"cert-cache", "made-up modes of the platform's root", root_no_modes,
        POSTURE_UNKNOWN, "/: on 9p", BOOT},
    {"cert-cache", "missing in a sticky parent", dir_missing_sticky,
        POSTURE_PASS, "accepted above: /var/cache (sticky)", BOOT},
    {"cert-cache", "read-only parent is said", parent_open_read_only,
        POSTURE_PASS, "accepted above: /var/cache (read-only mount)", BOOT},
    {"cert-cache", "no path", walk_empty, POSTURE_FAIL, "no path", BOOT},
    {"cert-cache", "no working directory", walk_no_cwd, POSTURE_UNKNOWN,
        "/var/cache/r: No such file", BOOT},
    {"cert-cache", "long path", walk_long, POSTURE_UNKNOWN,
        "more than 1023 bytes", BOOT},
    {"cert-cache", "deep path", walk_deep, POSTURE_UNKNOWN,
        "more than 64 components", BOOT},
    {"cert-cache", "long name", walk_long_name, POSTURE_FAIL,
        "File name too long", BOOT},
    {"cert-cache", "long name below what is missing", missing_and_long_name,
        POSTURE_FAIL, "File name too long", BOOT},
    {"cert-cache", "somebody else's key", key_theirs, POSTURE_FAIL,
        "/var/cache/r/key: mode 0644, owner 0", BOOT},
    {"cert-cache", "a pipe among the keys", key_pipe, POSTURE_FAIL,
        "/var/cache/r/key", BOOT},
    {"cert-cache", "readable key", key_0640, POSTURE_FAIL,
        "/var/cache/r/key: mode 0640", BOOT},
    {"plaintext-listener", "TLS only", nothing, POSTURE_PASS, NULL, BOOT},
    {"plaintext-listener", "plain", plaintext, POSTURE_FAIL,
        "--insecure-listen=0.0.0.0:80", BOOT},
    {"listeners", "none at boot", nothing, POSTURE_PASS, NULL, BOOT},
    {"listeners", "inherited", debug_port, POSTURE_FAIL, "6060", BOOT},
    {"listeners", "socket activation, allowed", activated, POSTURE_PASS, NULL,
        BOOT},
    {"listeners", "socket activation, not asked for", handed_over, POSTURE_FAIL,
        "6060", BOOT},
    {"listeners", "beside an activated one", activated_and_another,
        POSTURE_FAIL, "6061", BOOT},
    {"listeners", "no list of descriptors", sockets_unread, POSTURE_UNKNOWN,
        "/proc/thread-self/fd: No such file", BOOT},
    {"listeners", "a descriptor that does not tell", socket_unread,
        POSTURE_UNKNOWN, "descriptor 5: Operation not permitted", BOOT},
    {"listeners", "no list, and one was found", port_and_unread, POSTURE_FAIL,
        "6060", BOOT},
    {"listeners", "more than can be listed", too_many, POSTURE_FAIL,
        "3 sockets", BOOT},
    {"listeners", "unix datagram", unix_datagram, POSTURE_FAIL,
        "unix datagram @debug", BOOT},
    {"listeners", "a family without a name here", vsock_listener, POSTURE_FAIL,
        "descriptor 5: family 40", BOOT},
    {"listeners", "planned as expected", plan_as_expected, POSTURE_PASS, NULL,
        BOOT},
    {"listeners", "planned, not expected", plan_debug, POSTURE_FAIL,
        "about to bind 0.0.0.0:6060 (DEBUG_PORT)", BOOT},
    {"listeners", "planned twice, expected once", plan_twice, POSTURE_FAIL,
        "127.0.0.1:8443", BOOT},
    {"listeners", "planned wider than expected", plan_all_for_one, POSTURE_FAIL,
        "about to bind :8443", BOOT},
    {"listeners", "udp", udp_port, POSTURE_FAIL, "udp", BOOT},
    {"listeners", "abstract unix", unix_listener, POSTURE_FAIL, "@debug", BOOT},
    {"listeners", "another system", not_linux, POSTURE_NOT_APPLICABLE, NULL,
        BOOT},
    {"listeners", "udp planned, tcp expected", plan_udp, POSTURE_FAIL,
        "about to bind udp:127.0.0.1:8443 (--q)", BOOT},
    {"listeners", "udp planned and expected", plan_udp_expected, POSTURE_PASS,
        NULL, BOOT},
    {"listeners", "udp as expected, tcp missing", udp_expected, POSTURE_FAIL,
        "nothing listens on 127.0.0.1:8443", BOUND},
    {"listeners", "udp of another port", udp_expected_of_another_port,
        POSTURE_FAIL, "udp 0.0.0.0:6060", BOUND},
    {"listeners", "tcp in place of udp", tcp_where_udp_is_expected,
        POSTURE_FAIL, "nothing listens on udp:0.0.0.0:6060", BOUND},
    {"listeners", "a longer name", abstract_expected_with_more, POSTURE_FAIL,
        "unix @debug", BOUND},
    {"listeners", "datagrams in place of a stream",
        datagram_where_unix_is_expected, POSTURE_FAIL, "unix datagram @debug",
        BOUND},
    {"listeners", "as expected", as_expected, POSTURE_PASS, NULL, BOUND},
    {"listeners", "missing", nothing, POSTURE_FAIL, "127.0.0.1:8443", BOUND},
    {"listeners", "another address", wrong_host, POSTURE_FAIL, "0.0.0.0:8443",
        BOUND},
    {"listeners", "one too many", one_more, POSTURE_FAIL, "6060", BOUND},
    {"listeners", "mptcp in its place", mptcp, POSTURE_FAIL, "mptcp", BOUND},
    {"listeners", "sctp in its place", sctp, POSTURE_FAIL, "sctp", BOUND},
    {"listeners", "two on one address", two_on_one_address, POSTURE_FAIL,
        "descriptor 8: tcp 127.0.0.1:8443", BOUND},
    {"listeners", "two workers, two expected", two_workers, POSTURE_PASS, NULL,
        BOUND},
    {"listeners", "two expected, one worker", one_of_two_workers, POSTURE_FAIL,
        "nothing listens on 127.0.0.1:8443", BOUND},
    {"listeners", "every address", any_ipv6, POSTURE_PASS, NULL, BOUND},
    {"listeners", "every IPv6 address only", any_ipv6_only, POSTURE_FAIL,
        "tcp [::]:9443 (IPv6 only)", BOUND},
    {"listeners", "every IPv4 address only", any_ipv4, POSTURE_FAIL,
        "nothing listens on :9443", BOUND},
    {"listeners", "every address without IPv6", any_ipv4_without_ipv6,
        POSTURE_PASS, NULL, BOUND},
    {"listeners", "as expected, one unread", bound_unread, POSTURE_UNKNOWN,
        "descriptor 5", BOUND},
    {"listeners", "expected, and unread", sockets_unread, POSTURE_UNKNOWN, NULL,
        BOUND},
    {"single-instance", "bare", nothing, POSTURE_PASS, NULL, BOOT},
    {"single-instance", "fly", on_fly, POSTURE_FAIL, "FLY_APP_NAME", BOOT},
    {"single-instance", "fly, asserted", on_fly_asserted, POSTURE_PASS,
        "asserted", BOOT},
    {"single-instance", "fly, asserted wrongly", on_fly_not_quite, POSTURE_FAIL,
        NULL, BOOT},
    {"single-instance", "fly, shared backend", on_fly_shared, POSTURE_PASS,
        NULL, BOOT},
    {"single-instance", "lock held", lock_held, POSTURE_FAIL, "held by process",
        BOOT},
    {"single-instance", "lock unreadable", lock_eacces, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"single-instance", "lock is a pipe", lock_pipe, POSTURE_UNKNOWN,
        "not a regular file", BOOT},
    {"single-instance", "not asked for", many_may_run, POSTURE_NOT_APPLICABLE,
        NULL, BOOT},
    {"no-way-back", "set", nothing, POSTURE_PASS, "no_new_privs set", BOOT},
    {"no-way-back", "set, full bounding set", nnp_alone, POSTURE_PASS,
        "CAP_SYS_ADMIN", BOOT},
    {"no-way-back", "empty enough bounding set", bounding_alone, POSTURE_PASS,
        "not set", BOOT},
    {"no-way-back", "neither", regainable, POSTURE_FAIL,
        "CAP_SYS_ADMIN (bit 21)", BOOT},
    {"no-way-back", "field absent", nnp_unknown, POSTURE_UNKNOWN, NULL, BOOT},
    {"no-way-back", "both absent", nnp_nothing_known, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"no-way-back", "left to the seal", regainable_sealed_later,
        POSTURE_NOT_APPLICABLE, "seal", BOOT},
    {"no-way-back", "the seal did not hold", regainable_sealed_later,
        POSTURE_FAIL, NULL, SEALED},
    {"no-way-back", "sealed", nnp_sealed, POSTURE_ENFORCED, NULL, SEALED},
    {"no-way-back", "no_new_privs from two sources", nnp_lies, POSTURE_FAIL,
        "no_new_privs set", BOOT},
    {"no-way-back", "bounding set from two sources", bounding_lies,
        POSTURE_FAIL, "no_new_privs not set", BOOT},
    {"loader-environment", "clean", nothing, POSTURE_PASS, "no such variable",
        BOOT},
    {"loader-environment", "LD_PRELOAD", preload, POSTURE_FAIL,
        "LD_PRELOAD=/tmp/x.so", BOOT},
    {"loader-environment", "exact value allowed", preload_fine, POSTURE_PASS,
        "allows", BOOT},
    {"loader-environment", "allowed, and not there", preload_missing,
        POSTURE_PASS, "allows", BOOT},
    {"loader-environment", "allowed, and writable by all", preload_writable,
        POSTURE_FAIL, "/tmp/x.so: mode 0666", BOOT},
    {"loader-environment", "allowed, of another user", preload_theirs,
        POSTURE_FAIL, "owner 1000", BOOT},
    {"loader-environment", "allowed, in an open directory",
        preload_in_open_directory, POSTURE_FAIL, "/tmp: mode 0777", BOOT},
    {"loader-environment", "allowed, and hidden", preload_hidden,
        POSTURE_UNKNOWN, "Permission denied", BOOT},
    {"loader-environment", "allowed by a name that is no path", preload_by_name,
        POSTURE_UNKNOWN, "x.so of LD_PRELOAD", BOOT},
    {"loader-environment", "allowed, and no file", tunables_allowed,
        POSTURE_PASS, "allows", BOOT},
    {"loader-environment", "another value allowed", preload_not_quite,
        POSTURE_FAIL, "/tmp/x.so", BOOT},
    {"loader-environment", "ld.so.preload", preload_file_there, POSTURE_FAIL,
        "/etc/ld.so.preload", BOOT},
    {"loader-environment", "ld.so.preload unreadable", preload_file_eacces,
        POSTURE_UNKNOWN, NULL, BOOT},
    {"traced", "nobody", nothing, POSTURE_PASS, "nobody", BOOT},
    {"traced", "gdb", traced_by_gdb, POSTURE_FAIL, "4711 (gdb)", BOOT},
    {"traced", "a tracer that is hidden", traced_by_hidden, POSTURE_FAIL,
        "4711", BOOT},
    {"traced", "field absent", tracer_unknown, POSTURE_UNKNOWN, NULL, BOOT},
    {"descriptor-limit", "not declared", nothing, POSTURE_NOT_APPLICABLE, NULL,
        BOOT},
    {"descriptor-limit", "exactly enough", needs_1000, POSTURE_PASS, "1000",
        BOOT},
    {"descriptor-limit", "too low", needs_2000, POSTURE_FAIL,
        "needed 2000 (1900 + 100)", BOOT},
    {"descriptor-limit", "no limit", needs_unlimited, POSTURE_PASS,
        "no hard limit", BOOT},
    {"descriptor-limit", "unknown", limit_unknown, POSTURE_UNKNOWN, NULL, BOOT},
    {"clock", "set", nothing, POSTURE_PASS, NULL, BOOT},
    {"clock", "1970", clock_1970, POSTURE_FAIL, "12 seconds", BOOT},
    {"entropy", "seeded", nothing, POSTURE_PASS, NULL, BOOT},
    {"entropy", "not seeded", not_seeded, POSTURE_FAIL, "block", BOOT},
    {"entropy", "no such call", no_getrandom, POSTURE_UNKNOWN, NULL, BOOT},
    {"personality", "randomized", nothing, POSTURE_PASS, NULL, BOOT},
    {"personality", "setarch -R", setarch_r, POSTURE_FAIL, "ADDR_NO_RANDOMIZE",
        BOOT},
    {"personality", "host has it off", host_aslr_off, POSTURE_FAIL,
        "randomize_va_space=0", BOOT},
    {"personality", "sysctl hidden", no_sysctl, POSTURE_UNKNOWN, NULL, BOOT},
    {"personality", "call refused", no_personality, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"host-namespaces", "no container", nothing, POSTURE_NOT_APPLICABLE, NULL,
        BOOT},
    {"host-namespaces", "its own", in_container, POSTURE_PASS, NULL, BOOT},
    {"host-namespaces", "--pid=host", host_pid, POSTURE_FAIL, "pid", BOOT},
    {"host-namespaces", "hidden", ns_hidden, POSTURE_UNKNOWN, "uts", BOOT},
    {"privileged-group", "none", nothing, POSTURE_PASS, NULL, BOOT},
    {"privileged-group", "docker", in_docker_group, POSTURE_FAIL,
        "999 (docker)", BOOT},
    {"privileged-group", "unknown", groups_unknown, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"confinement", "seccomp", nothing, POSTURE_PASS, "seccomp mode 2", BOOT},
    {"confinement", "apparmor", apparmor, POSTURE_PASS, "docker-default", BOOT},
    {"confinement", "neither", no_seccomp, POSTURE_FAIL, "seccomp mode 0",
        BOOT},
    {"confinement", "apparmor unconfined", apparmor_unconfined, POSTURE_FAIL,
        "unconfined", BOOT},
    {"confinement", "apparmor, a mode that enforces nothing",
        apparmor_mode_unconfined, POSTURE_FAIL, "(unconfined)", BOOT},
    {"confinement", "apparmor, whatever the name", apparmor_named_kernel,
        POSTURE_PASS, "my-kernel", BOOT},
    {"confinement", "selinux, a container of a user", selinux_container,
        POSTURE_PASS, "container_t", BOOT},
    {"confinement", "selinux, unconfined", selinux_unconfined, POSTURE_FAIL,
        "unconfined_t", BOOT},
    {"confinement", "selinux, a privileged container", selinux_super,
        POSTURE_FAIL, "spc_t", BOOT},
    {"confinement", "gVisor has neither", gvisor, POSTURE_NOT_APPLICABLE, NULL,
        BOOT},
    {"confinement", "label unreadable", label_eacces, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"core-dumps", "not dumpable", nothing, POSTURE_PASS, NULL, BOOT},
    {"core-dumps", "dumpable", dumpable, POSTURE_FAIL, "above 1", BOOT},
    {"core-dumps", "no file of a byte", dumpable_1_file, POSTURE_PASS,
        "RLIMIT_CORE 1", BOOT},
    {"core-dumps", "no program is fed", dumpable_1_program, POSTURE_PASS,
        "RLIMIT_CORE 1", BOOT},
    {"core-dumps", "the soft limit feeds it", dumpable_1_lowered, POSTURE_FAIL,
        "unless it is 1; it is 0", BOOT},
    {"core-dumps", "a socket is fed", dumpable_1_socket, POSTURE_FAIL,
        "to a socket", BOOT},
    {"core-dumps", "an exec makes it dumpable", undumpable_until_exec,
        POSTURE_FAIL, "the program is dumpable", BOOT},
    {"core-dumps", "no file", dumpable_no_file, POSTURE_PASS, "RLIMIT_CORE 0",
        BOOT},
    {"core-dumps", "piped whatever the limit", dumpable_piped, POSTURE_FAIL,
        "feeds cores to a program", BOOT},
    {"core-dumps", "pattern hidden", dumpable_pattern_hidden, POSTURE_UNKNOWN,
        NULL, BOOT},
    {"core-dumps", "nothing known", dumpable_nothing_known, POSTURE_UNKNOWN,
        NULL, BOOT},
    {"core-dumps", "left to the seal", dumpable_sealed_later,
        POSTURE_NOT_APPLICABLE, NULL, BOOT},
    {"core-dumps", "the seal did not hold", dumpable_sealed_later, POSTURE_FAIL,
        NULL, SEALED},
    {"core-dumps", "sealed", not_dumpable_sealed, POSTURE_ENFORCED, NULL,
        SEALED},
    {"executable", "ours to run", nothing, POSTURE_PASS, "/usr/bin/relay",
        BOOT},
    {"executable", "setuid", exe_setuid, POSTURE_FAIL, "mode 4755", BOOT},
    {"executable", "setgid", exe_setgid, POSTURE_FAIL, "mode 2755", BOOT},
    {"executable", "writable", exe_writable, POSTURE_FAIL,
        "/usr/bin/relay can be written", BOOT},
    {"executable", "in a writable directory", exe_in_tmp, POSTURE_FAIL,
        "the directory of /usr/bin/relay", BOOT},
    {"executable", "file capabilities", exe_cap_admin, POSTURE_FAIL,
        "CAP_SYS_ADMIN (bit 21)", BOOT},
    {"executable", "an allowed file capability", exe_cap_bind, POSTURE_PASS,
        NULL, BOOT},
    {"executable", "unreadable file capabilities", exe_cap_odd, POSTURE_UNKNOWN,
        "file capabilities of /usr/bin/relay", BOOT},
    {"executable", "hidden", exe_hidden, POSTURE_UNKNOWN, "Permission denied",
        BOOT},
    {"executable", "in memory", exe_memfd, POSTURE_FAIL, "/memfd:x", BOOT},
    {"executable", "replaced", exe_deleted, POSTURE_FAIL, "/usr/bin/relay",
        BOOT},
    {"executable", "input or output error", exe_error, POSTURE_UNKNOWN,
        "permissions of", BOOT},
    {"executable", "the target too", target_fine, POSTURE_PASS, "/opt/app",
        BOOT},
    {"executable", "setuid target", target_setuid, POSTURE_FAIL,
        "/opt/app: mode 4755", BOOT},
    {"executable", "target with capabilities that exec cannot give",
        target_cannot_start, POSTURE_FAIL,
        "beyond the bounding set: CAP_NET_BIND_SERVICE", BOOT},
    {"executable", "target with capabilities that exec gives", target_can_start,
        POSTURE_PASS, "/opt/app", BOOT},
    {"inherited-descriptors", "none", nothing, POSTURE_PASS,
        "0, 1, 2 and no other", BOOT},
    {"inherited-descriptors", "a pipe", fd_pipe, POSTURE_FAIL,
        "descriptor 5: pipe:[1]", BOOT},
    {"inherited-descriptors", "a directory", fd_directory, POSTURE_FAIL,
        "a directory, /sys/fs/cgroup", BOOT},
    {"inherited-descriptors", "a device", fd_device, POSTURE_FAIL,
        "a device, /dev/sda", BOOT},
    {"inherited-descriptors", "a runtime", fd_runtime, POSTURE_FAIL,
        "a container runtime's socket", BOOT},
    {"inherited-descriptors", "no standard input", fd_closed, POSTURE_FAIL,
        "descriptor 0 is closed", BOOT},
    {"inherited-descriptors", "no list", fd_unlisted, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"inherited-descriptors", "too many", fd_too_many, POSTURE_FAIL, "3 more",
        BOOT},
    {"runtime-socket", "none", nothing, POSTURE_PASS, "none is reachable",
        BOOT},
    {"runtime-socket", "of a host that we may not use", socket_closed,
        POSTURE_PASS, "1 exist", BOOT},
    {"runtime-socket", "ours to write", socket_open, POSTURE_FAIL,
        "/run/docker.sock", BOOT},
    {"runtime-socket", "odd", socket_odd, POSTURE_UNKNOWN, "/run/docker.sock",
        BOOT},
    {"runtime-socket", "no list of mounts", mounts_hidden, POSTURE_UNKNOWN,
        NULL, BOOT},
    {"key-files", "none named", nothing, POSTURE_NOT_APPLICABLE, NULL, BOOT},
    {"key-files", "ours", key_ours, POSTURE_PASS, "mode 0400", BOOT},
    {"key-files", "ours, for the group", key_ours_0640, POSTURE_FAIL,
        "mode 0640", BOOT},
    {"key-files", "ours, executable", key_ours_executable, POSTURE_FAIL,
        "mode 0700", BOOT},
    {"key-files", "root's, for our group", key_roots_for_us, POSTURE_PASS,
        "owner 0", BOOT},
    {"key-files", "root's, for another group", key_roots_for_others,
        POSTURE_FAIL, "mode 0440", BOOT},
    {"key-files", "root's, for all", key_roots_for_all, POSTURE_FAIL,
        "mode 0444", BOOT},
    {"key-files", "somebody else's", key_of_somebody, POSTURE_FAIL,
        "owner 1000", BOOT},
    {"key-files", "a directory", key_directory, POSTURE_FAIL, NULL, BOOT},
    {"key-files", "in an open directory", key_in_open_directory, POSTURE_FAIL,
        "/k: mode 0777", BOOT},
    {"key-files", "a secret of kubernetes", key_of_kubernetes, POSTURE_PASS,
        "/k/..2026/key", BOOT},
    {"key-files", "a second name", key_second_name, POSTURE_FAIL, "2 names",
        BOOT},
    {"key-files", "missing", key_missing, POSTURE_FAIL, "/k/key", BOOT},
    {"key-files", "denied", key_denied, POSTURE_UNKNOWN, "Permission denied",
        BOOT},
    {"privileged-container", "nothing", nothing, POSTURE_PASS, NULL, BOOT},
    {"privileged-container", "a knob", knob, POSTURE_FAIL,
        "/proc/sysrq-trigger can be written", BOOT},
    {"privileged-container", "an odd knob", knob_odd, POSTURE_UNKNOWN, NULL,
        BOOT},
    {"privileged-container", "a disk", disk, POSTURE_FAIL,
        "/dev/sda can be read", BOOT},
    {"privileged-container", "the log of a host", kernel_log, POSTURE_PASS,
        NULL, BOOT},
    {"privileged-container", "the log in a container", kernel_log_in_container,
        POSTURE_FAIL, "/dev/kmsg", BOOT},
    {"privileged-container", "/sys of a host", sys_writable, POSTURE_PASS, NULL,
        BOOT},
    {"privileged-container", "/sys in a container", sys_writable_in_docker,
        POSTURE_FAIL, "read-write", BOOT},
    {"privileged-container", "no /sys", sys_absent_in_docker, POSTURE_PASS,
        NULL, BOOT},
    {"root-filesystem", "permissions", nothing, POSTURE_PASS, "not by us",
        BOOT},
    {"root-filesystem", "read-only", root_read_only, POSTURE_PASS,
        "mounted read-only", BOOT},
    {"root-filesystem", "writable", etc_writable, POSTURE_FAIL,
        "/, /etc can be written", BOOT},
    {"root-filesystem", "odd", etc_odd, POSTURE_UNKNOWN, "/etc", BOOT},
    {"memory-limit", "512 MiB", nothing, POSTURE_PASS, "512 MiB", BOOT},
    {"memory-limit", "none", memory_unlimited, POSTURE_FAIL,
        "no limit on a machine of 65536 MiB", BOOT},
    {"memory-limit", "more than there is", memory_more_than_there_is,
        POSTURE_FAIL, "no limit", BOOT},
    {"memory-limit", "a small guest", memory_small_guest, POSTURE_PASS,
        "the machine itself", BOOT},
    {"memory-limit", "a fly machine", memory_fly, POSTURE_PASS,
        "the machine itself", BOOT},
    {"memory-limit", "hidden", memory_hidden, POSTURE_UNKNOWN, NULL, BOOT},
};
/* clang-format on */

/* The worst finding of a row. */
static const struct posture_finding *find(const char *id)
{
    const struct posture_finding *worst = NULL;

    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (strcmp(f->id, id) != 0)
            continue;
        if (worst != NULL && f->action < worst->action)
            continue;
        if (worst == NULL || f->action > worst->action ||
            f->verdict == POSTURE_FAIL ||
            (f->verdict == POSTURE_UNKNOWN && worst->verdict == POSTURE_PASS))
            worst = f;
    }
    return worst;
}

/* Fixtures that never refuse, in production either. */
static void (*const harmless[])(void) = {cap_inheritable, root_no_modes};

static bool is_core(const char *id)
{
    for (size_t i = 0; i < 7; i++) {
        if (strcmp(posture_invariant_at(i)->id, id) == 0)
            return true;
    }
    return false;
}

/* What a fixture leads to in production: a core row refuses also what it could
 * not find out, the others warn of that. */
static bool action_is_right(const struct fixture *f, enum posture_action action)
{
    if (f->want != POSTURE_FAIL && f->want != POSTURE_UNKNOWN)
        return action == POSTURE_ACTION_NONE;
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
        if (f->change == harmless[i])
            return action == POSTURE_ACTION_WARN;
    }
    if (is_core(f->id))
        return action == POSTURE_ACTION_REFUSE;
    if (f->want == POSTURE_UNKNOWN)
        return action == POSTURE_ACTION_WARN;
    return action != POSTURE_ACTION_NONE;
}

static void check_fixture(const struct fixture *f)
{
    const struct posture_finding *found = NULL;
    bool seen = f->observed == NULL;

    f->change();
    judge(f->phase, 0);
    found = find(f->id);
    if (found == NULL)
        fail_msg("%s: %s: the row did not run", f->id, f->name);
    if (found->verdict != f->want)
        fail_msg("%s: %s: %s, observed %s", f->id, f->name,
            posture_verdict_name(found->verdict), found->observed);
    if (!action_is_right(f, found->action))
        fail_msg("%s: %s: action %d", f->id, f->name, (int)found->action);
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *each = posture_report_finding(report, i);

        seen = seen || (strcmp(each->id, f->id) == 0 &&
                           strstr(each->observed, f->observed) != NULL);
        assert_null(strstr(each->observed, "swordfish"));
        assert_null(strstr(each->reason, "swordfish"));
        assert_null(strstr(each->fix, "swordfish"));
        if (each->action != POSTURE_ACTION_NONE) {
            assert_true(strlen(each->fix) > 0);
            assert_true(strlen(each->reason) > 0);
            assert_true(strlen(each->expected) > 0);
        }
    }
    if (!seen)
        fail_msg("%s: %s: observed %s", f->id, f->name, found->observed);
    assert_int_equal(
        posture_report_has(report, found->error), f->want == POSTURE_FAIL);
}

static void every_fixture(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(fixtures); i++) {
        check_fixture(&fixtures[i]);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void no_row_is_without_fixtures(void **state)
{
    (void)state;
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const char *id = posture_invariant_at(i)->id;
        unsigned passes = 0;
        unsigned fails = 0;

        for (size_t k = 0; k < ARRAY_LEN(fixtures); k++) {
            passes += strcmp(fixtures[k].id, id) == 0 &&
                      fixtures[k].want == POSTURE_PASS;
            fails += strcmp(fixtures[k].id, id) == 0 &&
                     fixtures[k].want == POSTURE_FAIL;
        }
        if (passes == 0 || fails == 0)
            fail_msg("%s has %u passes and %u fails", id, passes, fails);
    }
}

static void every_row_of_the_phase_runs(void **state)
{
    (void)state;
    for (int phase = POSTURE_PHASE_BOOT; phase <= POSTURE_PHASE_BOUND;
         phase++) {
        judge((enum posture_phase)phase, 0);
        for (size_t i = 0; i < posture_invariant_count(); i++) {
            const struct posture_invariant *row = posture_invariant_at(i);

            assert_int_equal(find(row->id) != NULL, row->phases >> phase & 1);
        }
    }
}

static void the_catalogue_is_complete(void **state)
{
    (void)state;
    assert_true(posture_invariant_count() >= 7);
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const struct posture_invariant *row = posture_invariant_at(i);

        assert_ptr_equal(posture_invariant_find(row->id), row);
        assert_true(i == 0 || row->error > posture_invariant_at(i - 1)->error);
        assert_memory_equal(row->sentinel, "Err", 3);
        assert_true(strlen(row->rule) > 10 && strlen(row->why) > 10);
        for (int p = 0; p < POSTURE_PLATFORM_COUNT; p++)
            assert_true(row->fix[p] != NULL && strlen(row->fix[p]) > 10);
        /* What is not known refuses for the core alone. */
        assert_int_equal(row->on_unknown[POSTURE_MODE_PRODUCTION],
            i < 7 ? POSTURE_ACTION_REFUSE : POSTURE_ACTION_WARN);
        assert_true(i >= 7 || row->action[POSTURE_MODE_PRODUCTION] ==
                                  POSTURE_ACTION_REFUSE);
    }
    assert_null(posture_invariant_at(posture_invariant_count()));
    assert_null(posture_invariant_find("nonsense"));
}

/* By failure and mode, as the table in docs/posture.md has it. */
static void modes(void **state)
{
    static const struct {
        void (*change)(void);
        enum posture_action want[3];
    } cases[] = {
        {problem, {POSTURE_ACTION_REFUSE, POSTURE_ACTION_REFUSE,
                      POSTURE_ACTION_REFUSE}},
        {euid_0,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE}},
        {cap_admin, {POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE,
                        POSTURE_ACTION_REFUSE}},
        {cap_inheritable,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_WARN}},
        {dir_0750, {POSTURE_ACTION_REFUSE, POSTURE_ACTION_REFUSE,
                       POSTURE_ACTION_REFUSE}},
        {plaintext,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE}},
        {debug_port, {POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE,
                         POSTURE_ACTION_REFUSE}},
        {on_fly, {POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE,
                     POSTURE_ACTION_REFUSE}},
        {caps_unknown,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE}},
        {no_listing,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE}},
        {no_modes,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE}},
        {root_no_modes,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_WARN}},
        {lock_pipe,
            {POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE}},
        {nothing,
            {POSTURE_ACTION_NONE, POSTURE_ACTION_NONE, POSTURE_ACTION_NONE}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int mode = 0; mode < 3; mode++) {
            (void)tear_down(state);
            (void)set_up(state);
            posture_policy_set_mode(policy, (enum posture_mode)mode);
            cases[i].change();
            judge(POSTURE_PHASE_BOOT, 0);
            if (posture_report_action(report) != cases[i].want[mode])
                fail_msg("case %zu, mode %s", i,
                    posture_mode_name((enum posture_mode)mode));
        }
}

/* The inheritable set warns, the rest is refused: a finding each. */
static void inheritable_stands_apart(void **state)
{
    (void)state;
    cap_admin_and_inheritable();
    judge(POSTURE_PHASE_BOOT, 0);
    assert_int_equal(posture_report_actions(report, POSTURE_ACTION_REFUSE), 1);
    assert_int_equal(posture_report_actions(report, POSTURE_ACTION_WARN), 1);
}

static void listener_addresses(void **state)
{
    static const char *const bad[] = {"", "foo", "localhost:80", "1.2.3.4",
        "1.2.3.4:0", ":x", "::1:80", "udp:", "udp:x:1",
        "unix:", "unix:relative", "unix:@", "sctp:1.2.3.4:5", "unixgram:x",
        "udp:tcp:1.2.3.4:5"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(
            posture_policy_expect_listener(policy, bad[i], "x"), -EINVAL);
        assert_int_equal(
            posture_policy_plan_listener(policy, bad[i], "x"), -EINVAL);
    }
    assert_int_equal(
        posture_policy_expect_listener(policy, NULL, "x"), -EINVAL);
    /* Nothing of them stays behind. */
    as_expected();
    judge(POSTURE_PHASE_BOUND, 0);
    assert_int_equal(find("listeners")->verdict, POSTURE_PASS);
}

/* Anything in the mode variable is production; only "1" is no mistake. */
/* Every kind at once, each as it was expected. */
static void listeners_of_every_kind(void **state)
{
    static void (*const changes[])(void) = {
        udp_expected, abstract_expected, unix_path_expected};

    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        changes[i]();
        add_listening("127.0.0.1", 8443, 9);
        judge(BOUND, 0);
        assert_int_equal(find("listeners")->verdict, POSTURE_PASS);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void a_malformed_mode_never_weakens(void **state)
{
    static const char *const values[] = {"0", "", "false", "1", "TRUE", " 1"};

    (void)state;
    posture_policy_set_mode(policy, POSTURE_MODE_DEVELOPMENT);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        facts->mode_value = values[i];
        judge(POSTURE_PHASE_BOOT, 0);
        assert_int_equal(posture_report_mode(report), POSTURE_MODE_PRODUCTION);
        assert_int_equal(posture_report_has(report, POSTURE_ERR_INVALID_CONFIG),
            strcmp(values[i], "1") != 0);
    }
}

static void all_failures_or_the_first(void **state)
{
    (void)state;
    euid_0();
    cap_admin();
    dir_0750();
    judge(POSTURE_PHASE_BOOT, 0);
    assert_int_equal(posture_report_actions(report, POSTURE_ACTION_REFUSE), 3);
    judge(POSTURE_PHASE_BOOT, POSTURE_STOP_AT_FIRST);
    assert_int_equal(posture_report_actions(report, POSTURE_ACTION_REFUSE), 1);
    assert_true(posture_report_has(report, POSTURE_ERR_RUNNING_AS_ROOT));
    assert_false(posture_report_has(report, POSTURE_ERR_UNEXPECTED_CAPABILITY));
}

static void the_fix_is_the_platforms(void **state)
{
    (void)state;
    euid_0();
    for (int p = 0; p < POSTURE_PLATFORM_COUNT; p++) {
        facts->platform = (enum posture_platform)p;
        judge(POSTURE_PHASE_BOOT, 0);
        assert_string_equal(find("running-as-root")->fix,
            posture_invariant_find("running-as-root")->fix[p]);
    }
}

/* The name, number or path of the finding, not a word in its place. */
static void the_fix_names_what_it_is_of(void **state)
{
    static const struct {
        const char *id;
        void (*change)(void);
        enum posture_platform platform;
        const char *fix; /* part of it */
    } cases[] = {
        {"loader-environment", preload, POSTURE_PLATFORM_SYSTEMD,
            "UnsetEnvironment=LD_PRELOAD"},
        {"loader-environment", preload, POSTURE_PLATFORM_FLY,
            "fly secrets unset LD_PRELOAD, and"},
        {"loader-environment", preload_file_there, POSTURE_PLATFORM_BARE,
            "remove /etc/ld.so.preload"},
        {"descriptor-limit", needs_2000, POSTURE_PLATFORM_DOCKER,
            "--ulimit nofile=2000:2000"},
        {"inherited-descriptors", fd_pipe, POSTURE_PLATFORM_BARE,
            "COMMAND </dev/null 5<&-"},
        {"key-files", key_roots_for_all, POSTURE_PLATFORM_DOCKER,
            "docker run -v /k/key:/run/secrets/KEY:ro"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        facts->platform = cases[i].platform;
        cases[i].change();
        judge(POSTURE_PHASE_BOOT, 0);
        if (strstr(find(cases[i].id)->fix, cases[i].fix) == NULL)
            fail_msg("%s: %s", cases[i].id, find(cases[i].id)->fix);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void fixes_are_shell_pasteable(void **state)
{
    (void)state;
    (void)strncpy(last()->path, "/var/cache/it's", sizeof(last()->path) - 1);
    dir_0750();
    judge(POSTURE_PHASE_BOOT, 0);
    assert_string_equal(
        find("cert-cache")->fix, "chmod 0700 '/var/cache/it'\\''s'");
}

/* The n-th finding of cert-cache that asks for something. */
static const struct posture_finding *nth(size_t n)
{
    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (strcmp(f->id, "cert-cache") != 0 ||
            f->action == POSTURE_ACTION_NONE)
            continue;
        if (n == 0)
            return f;
        n--;
    }
    return NULL;
}

static void assert_nth(size_t n, const char *observed, const char *fix)
{
    const struct posture_finding *f = nth(n);

    assert_non_null(f);
    assert_non_null(strstr(f->observed, observed));
    assert_string_equal(f->fix, fix);
}

static const char *row_fix(void)
{
    return posture_invariant_find("cert-cache")->fix[facts->platform];
}

static void everything_about_a_directory_in_one_boot(void **state)
{
    (void)state;
    parent()->uid = 1000;
    parent()->mode = S_IFDIR | 0777;
    last()->uid = 1000;
    last()->mode = S_IFDIR | 0777;
    key_theirs();
    judge(POSTURE_PHASE_BOOT, 0);
    assert_nth(0, "/var/cache: mode 0777, owner 1000", row_fix());
    assert_nth(1, "/var/cache: mode 0777", "chmod go-w '/var/cache'");
    assert_nth(2, "/var/cache/r: mode 0777, owner 1000",
        "chown 65532:65532 '/var/cache/r'");
    assert_nth(3, "/var/cache/r: mode 0777", "chmod 0700 '/var/cache/r'");
    assert_nth(4, "/var/cache/r/key: mode 0644, owner 0",
        "chown 65532 '/var/cache/r/key' && chmod 0600 '/var/cache/r/key'");
    assert_null(nth(5));
}

/* What is not ours only root can change, and nobody is root in there. */
static void a_container_gets_no_command_for_root(void **state)
{
    (void)state;
    for (int p = 0; p < POSTURE_PLATFORM_COUNT; p++) {
        bool has_root =
            p == POSTURE_PLATFORM_BARE || p == POSTURE_PLATFORM_SYSTEMD;

        facts->platform = (enum posture_platform)p;
        last()->uid = 0;
        last()->mode = S_IFDIR | 0777;
        judge(POSTURE_PHASE_BOOT, 0);
        assert_nth(0, "owner 0",
            has_root ? "chown 65532:65532 '/var/cache/r'" : row_fix());
        assert_nth(
            1, "mode 0777", has_root ? "chmod 0700 '/var/cache/r'" : row_fix());
        last()->uid = 65532;
        judge(POSTURE_PHASE_BOOT, 0);
        assert_nth(0, "mode 0777", "chmod 0700 '/var/cache/r'");
    }
}

static void no_fix_does_harm(void **state)
{
    (void)state;
    /* A link's owner, and not that of what it leads to. */
    parent()->uid = 1000;
    parent()->mode = S_IFLNK | 0777;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_nth(0, "/var/cache", "chown -h root '/var/cache'");
    /* Somebody's home stays theirs. */
    parent()->mode = S_IFDIR | 0755;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_nth(0, "owner 1000", row_fix());
    /* A directory of the system is not taken over. */
    facts->cert_cache.component_count = 3;
    parent()->uid = 0;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_nth(0, "/var/cache: mode 0755, owner 0", row_fix());
    assert_nth(1, "/var/cache: mode 0755", row_fix());
    /* By root neither. */
    facts->euid = 0;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_nth(0, "/var/cache: mode 0755", row_fix());
    facts->cert_cache.component_count = 1;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_nth(0, "/: mode 0755, owner 0", row_fix());
    assert_null(nth(1));
}

static void an_owner_that_is_not_mapped_is_named_as_such(void **state)
{
    (void)state;
    facts->cert_cache.components[0].uid = 65534;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_string_equal(
        nth(0)->reason, "a directory above belongs to somebody else");
    facts->user_namespace.some_unmapped = true;
    facts->user_namespace.unmapped_uid = 65534;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_string_equal(
        nth(0)->reason, "its owner is not mapped into this user namespace");
    assert_null(strstr(nth(0)->fix, "chown"));
    assert_null(nth(1));
}

static void another_system_gets_one_notice(void **state)
{
    (void)state;
    judge(POSTURE_PHASE_BOOT, 0);
    assert_null(posture_report_notice(report));
    not_linux();
    (void)strncpy(facts->system, "freebsd", sizeof(facts->system) - 1);
    judge(POSTURE_PHASE_BOOT, 0);
    assert_string_equal(posture_report_notice(report),
        "running on freebsd, skipping linux-only checks");
}

static void rendering_escapes(void **state)
{
    static char line[4096];
    static char whole[32768];
    size_t len = 0;

    (void)state;
    facts->mode_value = "a\nlevel=INFO \x1b[31m \"q\" \xff";
    judge(POSTURE_PHASE_BOOT, 0);
    (void)posture_finding_logfmt(find("config"), line, sizeof(line));
    assert_null(strchr(line, '\n'));
    assert_null(strchr(line, '\x1b'));
    assert_memory_equal(line,
        "check=config err=ErrInvalidConfig verdict=fail action=refuse "
        "object=PROD ",
        70);
    len = posture_report_json(report, whole, sizeof(whole));
    assert_true(len < sizeof(whole) && len == strlen(whole));
    assert_null(strpbrk(whole, "\n\x1b\xff"));
    assert_non_null(strstr(whole, "\"action\":\"refuse\""));
    /* As snprintf: the needed length, whatever fits. */
    assert_int_equal(posture_report_json(report, NULL, 0), len);
    assert_int_equal(posture_report_json(report, line, 10), len);
    assert_int_equal(strlen(line), 9);
}

static void a_line_has_every_field_whatever_their_length(void **state)
{
    static char line[65536];
    static char value[8192];
    struct posture_finding finding;
    size_t len = 0;

    (void)state;
    judge(POSTURE_PHASE_BOOT, 0);
    finding = *posture_report_finding(report, 0);
    finding.action = POSTURE_ACTION_REFUSE;
    finding.fix = "the fix";
    for (size_t i = 0; i + 1 < sizeof(value); i++)
        value[i] = i % 3 == 0 ? '\x1b' : '"';
    for (size_t size = 0; size < sizeof(value); size += 97) {
        finding.observed = value + size;
        len = posture_finding_logfmt(&finding, line, sizeof(line));
        assert_int_equal(len, strlen(line));
        assert_non_null(strstr(line, "\" expected="));
        assert_non_null(strstr(line, " fix=\"the fix\""));
        assert_non_null(strstr(line, " runbook=docs/runbook.md#err"));
    }
}

static void the_phase_is_the_reports(void **state)
{
    static char whole[32768];

    (void)state;
    judge(SEALED, 0);
    (void)posture_report_json(report, whole, sizeof(whole));
    assert_non_null(strstr(whole, "\"phase\":\"sealed\",\"catalogue\":1,"));
    judge(BOUND, 0);
    (void)posture_report_json(report, whole, sizeof(whole));
    assert_non_null(strstr(whole, "\"phase\":\"bound\""));
}

/* An upgrade alone stops nobody. */
static void a_row_of_a_later_catalogue_warns(void **state)
{
    struct posture_invariant row = *posture_invariant_at(0);
    const struct report_draft failed = {.verdict = POSTURE_FAIL};

    (void)state;
    judge(POSTURE_PHASE_BOOT, 0);
    report_add(report, &row, &failed);
    assert_int_equal(
        posture_report_finding(report, posture_report_count(report) - 1)
            ->action,
        POSTURE_ACTION_REFUSE);
    row.since = POSTURE_CATALOGUE + 1;
    report_add(report, &row, &failed);
    assert_int_equal(
        posture_report_finding(report, posture_report_count(report) - 1)
            ->action,
        POSTURE_ACTION_WARN);
    assert_int_equal(posture_policy_set_catalogue(policy, 0), -EINVAL);
    assert_int_equal(
        posture_policy_set_catalogue(policy, POSTURE_CATALOGUE + 1), -EINVAL);
    assert_int_equal(
        posture_policy_set_catalogue(policy, POSTURE_CATALOGUE), 0);
}

/* The real thing, on this very process. */
static void the_real_process(void **state)
{
    (void)state;
    for (int phase = POSTURE_PHASE_BOOT; phase <= POSTURE_PHASE_BOUND;
         phase++) {
        posture_report_free(report);
        assert_int_equal(
            posture_check(policy, (enum posture_phase)phase, 0, &report), 0);
        for (size_t i = 0; i < posture_invariant_count(); i++)
            assert_int_equal(find(posture_invariant_at(i)->id) != NULL,
                posture_invariant_at(i)->phases >> phase & 1);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
RUN_TESTS("invariants", CASE(every_fixture), CASE(no_row_is_without_fixtures),
    CASE(every_row_of_the_phase_runs), CASE(the_catalogue_is_complete),
    CASE(modes), CASE(inheritable_stands_apart), CASE(listener_addresses),
    CASE(listeners_of_every_kind), CASE(a_malformed_mode_never_weakens),
    CASE(all_failures_or_the_first), CASE(the_fix_is_the_platforms),
    CASE(fixes_are_shell_pasteable), CASE(the_fix_names_what_it_is_of),
    CASE(everything_about_a_directory_in_one_boot),
    CASE(a_container_gets_no_command_for_root), CASE(no_fix_does_harm),
    CASE(an_owner_that_is_not_mapped_is_named_as_such),
    CASE(another_system_gets_one_notice), CASE(rendering_escapes),
    CASE(a_line_has_every_field_whatever_their_length),
    CASE(the_phase_is_the_reports), CASE(a_row_of_a_later_catalogue_warns),
    CASE(the_real_process));
