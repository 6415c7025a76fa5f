/*
 * Facts in, verdicts out: for comparing the judges with another
 * implementation of their rules.  A line of standard input is a case, words of
 * NAME=VALUE; "?" is a fact that could not be read.  The answer is a line of
 * ID=VERDICT/ACTION, the worst of each row.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host_port.h"
#include "posture/check.h"
#include "posture/facts.h"

enum { WORDS_MAX = 256, LINE_MAX_BYTES = 65536, UNREADABLE = EIO };

static const char *flag_variables[] = {"FLAG", "NEEDED", "DIGITS"};

struct test_case {
    struct posture_policy *policy;
    struct posture_facts *facts;
    struct word {
        const char *name;
        const char *value;
    } words[WORDS_MAX];
    size_t count;
};

static void must(int failed)
{
    if (failed != 0) {
        (void)fprintf(stderr, "judge_driver: %s\n", strerror(-failed));
        exit(EXIT_FAILURE);
    }
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 0);
}

static bool is_unread(const char *value)
{
    return strcmp(value, "?") == 0;
}

static struct fact_number fact(const char *value)
{
    if (is_unread(value))
        return (struct fact_number){.error = UNREADABLE};
    return (struct fact_number){.known = true, .value = number(value)};
}

/* The n-th part of a value between colons. */
static const char *part(const char *value, size_t n)
{
    for (; n > 0 && value != NULL; n--) {
        value = strchr(value, ':');
        value = value == NULL ? NULL : value + 1;
    }
    return value == NULL ? "" : value;
}

static uint32_t type_of(char letter)
{
    return letter == 'd' ? S_IFDIR : letter == 'l' ? S_IFLNK : S_IFREG;
}

/* TYPE:UID:GID:MODE:LINKS:FLAGS, flags r(ead-only), m(ade up), o(n root) */
static void add_component(struct fact_directory *dir, const char *value)
{
    size_t index = dir->component_count++;
    struct fact_component *to = &dir->components[index];
    const char *flags = part(value, 5);

    (void)snprintf(to->path, sizeof(to->path), "/%zu", index);
    to->uid = (uint32_t)number(part(value, 1));
    to->gid = (uint32_t)number(part(value, 2));
    to->mode = type_of(value[0]) | (uint32_t)strtoul(part(value, 3), NULL, 8);
    to->links = number(part(value, 4));
    to->read_only = strchr(flags, 'r') != NULL;
    to->made_up = strchr(flags, 'm') != NULL ? "a share" : NULL;
    to->on_root = strchr(flags, 'o') != NULL;
}

/* TYPE:UID:MODE */
static void add_file(struct fact_directory *dir, const char *value)
{
    struct fact_file *to = &dir->files[dir->file_count++];

    (void)snprintf(to->name, sizeof(to->name), "f%zu", dir->file_count);
    to->uid = (uint32_t)number(part(value, 1));
    to->mode = type_of(value[0]) | (uint32_t)strtoul(part(value, 2), NULL, 8);
}

/* 0, 1 or ? */
static void add_access(
    struct fact_access *list, size_t *count, const char *value)
{
    struct fact_access *to = &list[(*count)++];

    (void)snprintf(to->path, sizeof(to->path), "/access");
    to->allowed = value[0] == '1';
    to->error = is_unread(value) ? UNREADABLE : 0;
}

/* PORT:ACTIVATED, TCP on 127.0.0.1 */
static void add_socket(struct fact_sockets *sockets, const char *value)
{
    struct fact_socket *to = &sockets->list[sockets->count++];
    struct host_port at;
    char text[64];

    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)number(value));
    if (host_port_parse(span_str(text), &at) != HOST_PORT_OK)
        must(-EINVAL);
    to->addr = at.addr;
    to->addr_len = sizeof(struct sockaddr_in);
    to->family = AF_INET;
    to->type = SOCK_STREAM;
    to->protocol = IPPROTO_TCP;
    to->fd = 2 + (int)sockets->count;
    to->activated = part(value, 1)[0] == '1';
}

static const char *address(const char *port, char ret[64])
{
    (void)snprintf(ret, 64, "127.0.0.1:%s", port);
    return ret;
}

/* What makes the policy, before the facts are allocated. */
static void declare(struct test_case *c, const char *name, const char *value)
{
    struct posture_policy *p = c->policy;
    char text[64];

    if (strcmp(name, "mode") == 0)
        posture_policy_set_mode(p, (enum posture_mode)number(value));
    if (strcmp(name, "allow") == 0)
        posture_policy_set_capabilities(p, number(value));
    if (strcmp(name, "want") == 0)
        must(posture_policy_expect_listener(p, address(value, text), "w"));
    if (strcmp(name, "plan") == 0)
        must(posture_policy_plan_listener(p, address(value, text), "p"));
    if (strcmp(name, "activation") == 0)
        posture_policy_allow_activation(p);
    if (strcmp(name, "cert") == 0)
        must(posture_policy_set_cert_cache(p, "/cert"));
    if (strcmp(name, "keyfile") == 0)
        must(posture_policy_add_key_file(p, "/key", "k"));
    if (strcmp(name, "problem") == 0)
        must(posture_policy_add_problem(
            p, &(struct posture_problem){.key = "k", .reason = "r"}));
    if (strcmp(name, "plaintext") == 0)
        must(posture_policy_set_plaintext_listener(p, "--p", ":80"));
    if (strcmp(name, "single") == 0)
        must(posture_policy_set_single_instance(p, "SINGLE", "/lock"));
    if (strcmp(name, "backend") == 0)
        posture_policy_set_shared_backend(p);
    if (strcmp(name, "seals") == 0)
        posture_policy_declare_seal(p, (unsigned)number(value));
    if (strcmp(name, "container") == 0)
        posture_policy_set_container(p);
    if (strcmp(name, "need") == 0)
        must(posture_policy_set_descriptors(p, number(value), "why"));
    if (strcmp(name, "allowloader") == 0)
        must(posture_policy_allow_environment(p, "LD_PRELOAD", value));
    if (strcmp(name, "program") == 0)
        must(posture_policy_set_program(p, "/target"));
    if (strcmp(name, "waive") == 0) {
        char id[64];

        (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(value, ":"), value);
        must(posture_policy_add_waiver(
            p, id, part(value, 1), "a reason that is long enough"));
    }
}

/* Facts that are one number, where they are, by name. */
static struct fact_number *number_named(
    struct posture_facts *f, const char *name)
{
    const struct {
        const char *name;
        struct fact_number *to;
    } table[] = {
        {"nnp", &f->process.no_new_privs},
        {"bounding", &f->process.bounding},
        {"dumpable", &f->process.dumpable},
        {"core", &f->process.core_limit},
        {"soft", &f->process.core_soft},
        {"sink", &f->process.core_sink},
        {"limit", &f->process.descriptors},
        {"tracer", &f->process.tracer},
        {"persona", &f->process.personality},
        {"randomize", &f->process.randomize_va_space},
        {"seccomp", &f->process.seccomp},
        {"pid", &f->process.namespaces[FACTS_NAMESPACE_PID]},
        {"ipc", &f->process.namespaces[FACTS_NAMESPACE_IPC]},
        {"uts", &f->process.namespaces[FACTS_NAMESPACE_UTS]},
        {"preload", &f->process.preload_file},
        {"exewritable", &f->executable.writable},
        {"exedir", &f->executable.directory_writable},
        {"execaps", &f->executable.capabilities},
        {"targetwritable", &f->target.writable},
        {"targetdir", &f->target.directory_writable},
        {"targetcaps", &f->target.capabilities},
        {"sysro", &f->host.sys_read_only},
        {"rootro", &f->host.root_read_only},
        {"memlimit", &f->host.memory_limit},
        {"memory", &f->host.memory},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].to;
    }
    return NULL;
}

static void set_identity(
    struct posture_facts *f, const char *name, const char *value)
{
    struct fact_capabilities *caps = &f->capabilities;

    if (strcmp(name, "ids") == 0) { /* REAL:EFFECTIVE:SAVED:FILESYSTEM */
        f->ids.real = (uint32_t)number(part(value, 0));
        f->ids.effective = (uint32_t)number(part(value, 1));
        f->ids.saved = (uint32_t)number(part(value, 2));
        f->ids.filesystem = (uint32_t)number(part(value, 3));
        f->euid = f->ids.effective;
    }
    if (strcmp(name, "noids") == 0) {
        f->ids.known = false;
        f->ids.error = UNREADABLE;
    }
    if (strcmp(name, "nosaved") == 0)
        f->ids.saved_error = UNREADABLE;
    if (strcmp(name, "idscontra") == 0)
        f->ids.contradicted = true;
    if (strcmp(name, "caps") ==
        0) { /* EFFECTIVE:PERMITTED:INHERITABLE:AMBIENT */
        caps->effective = number(part(value, 0));
        caps->permitted = number(part(value, 1));
        caps->inheritable = number(part(value, 2));
        caps->ambient = number(part(value, 3));
    }
    if (strcmp(name, "nocaps") == 0) {
        caps->known = false;
        caps->error = UNREADABLE;
    }
    if (strcmp(name, "noambient") == 0)
        caps->ambient_error = UNREADABLE;
    if (strcmp(name, "capscontra") == 0)
        caps->contradicted = true;
}

static void set_process(
    struct posture_facts *f, const char *name, const char *value)
{
    struct fact_process *p = &f->process;

    if (strcmp(name, "nnpcontra") == 0)
        p->no_new_privs_contradicted = true;
    if (strcmp(name, "bndcontra") == 0)
        p->bounding_contradicted = true;
    if (strcmp(name, "noentropy") == 0) {
        p->entropy = (struct fact_number){
            .error = value[0] == 'b' ? EAGAIN : UNREADABLE};
    }
    if (strcmp(name, "group") == 0) {
        p->groups_error = is_unread(value) ? UNREADABLE : 0;
        p->privileged_group =
            is_unread(value) ? p->privileged_group : fact(value);
    }
    if (strcmp(name, "label") == 0) {
        p->label_error = 0;
        (void)snprintf(p->label, sizeof(p->label), "%s", value);
    }
    if (strcmp(name, "nolabel") == 0)
        p->label_error = value[0] == 'e' ? ENOENT : EACCES;
    if (strcmp(name, "loader") == 0) {
        p->loader[p->loader_count++] =
            (struct fact_variable){"LD_PRELOAD", value};
    }
}

static void set_program(struct fact_program *p, const char *what)
{
    if (strcmp(what, "hidden") == 0)
        p->error = UNREADABLE;
    if (strcmp(what, "memory") == 0)
        p->in_memory = true;
    if (strcmp(what, "deleted") == 0)
        p->deleted = true;
    if (strcmp(what, "setuid") == 0)
        p->mode |= S_ISUID;
}

static void set_files(
    struct posture_facts *f, const char *name, const char *value)
{
    struct fact_host *h = &f->host;

    if (strcmp(name, "exe") == 0)
        set_program(&f->executable, value);
    if (strcmp(name, "target") == 0)
        set_program(&f->target, value);
    if (strcmp(name, "needed") == 0)
        f->target.needed = number(value);
    if (strcmp(name, "fd") == 0) {
        f->descriptors.list[f->descriptors.count++].kind =
            (enum fact_descriptor_kind)number(value);
    }
    if (strcmp(name, "closed") == 0)
        f->descriptors.closed_stdio = (unsigned)number(value);
    if (strcmp(name, "nofds") == 0)
        f->descriptors.error = UNREADABLE;
    if (strcmp(name, "morefds") == 0)
        f->descriptors.left_out = 1;
    if (strcmp(name, "runtime") == 0)
        add_access(h->runtime_sockets, &h->runtime_socket_count, value);
    if (strcmp(name, "nomounts") == 0)
        h->mounts_error = UNREADABLE;
    if (strcmp(name, "knob") == 0)
        add_access(h->knobs, &h->knob_count, value);
    if (strcmp(name, "device") == 0)
        add_access(h->devices, &h->device_count, value);
    if (strcmp(name, "kmsg") == 0) {
        add_access(h->devices, &h->device_count, value);
        (void)strcpy(h->devices[h->device_count - 1].path, "/dev/kmsg");
    }
    if (strcmp(name, "system") == 0)
        add_access(h->system, &h->system_count, value);
}

static void set_paths(
    struct posture_facts *f, const char *name, const char *value)
{
    if (strcmp(name, "c") == 0)
        add_component(&f->cert_cache, value);
    if (strcmp(name, "cmissing") == 0)
        f->cert_cache.missing = true;
    if (strcmp(name, "cerror") == 0)
        f->cert_cache.error = (int)number(value);
    if (strcmp(name, "cfile") == 0)
        add_file(&f->cert_cache, value);
    if (strcmp(name, "cunlisted") == 0)
        f->cert_cache.files_error = UNREADABLE;
    if (strcmp(name, "k") == 0)
        add_component(&f->key_files[0], value);
    if (strcmp(name, "l") == 0)
        add_component(&f->allowed_files[0], value);
    if (strcmp(name, "lmissing") == 0)
        f->allowed_files[0].missing = true;
    if (strcmp(name, "lerror") == 0)
        f->allowed_files[0].error = (int)number(value);
    if (strcmp(name, "kmissing") == 0)
        f->key_files[0].missing = true;
    if (strcmp(name, "kerror") == 0)
        f->key_files[0].error = (int)number(value);
}

static void set_rest(
    struct posture_facts *f, const char *name, const char *value)
{
    if (strcmp(name, "now") == 0)
        f->now = number(value);
    if (strcmp(name, "platform") == 0)
        f->platform = (enum posture_platform)number(value);
    if (strcmp(name, "otheros") == 0)
        f->linux_facts = false;
    if (strcmp(name, "modevalue") == 0)
        f->mode_value = value;
    for (size_t i = 0; i < ARRAY_LEN(flag_variables); i++) {
        if (strcmp(name, flag_variables[i]) == 0)
            f->variables[i] = value;
    }
    if (strcmp(name, "asserted") == 0)
        f->single_instance = value;
    if (strcmp(name, "scales") == 0)
        f->scale_out = "FLY_APP_NAME";
    if (strcmp(name, "lock") == 0) {
        f->lock.held = value[0] == 'h';
        f->lock.not_regular = value[0] == 'n';
        f->lock.error = value[0] == '?' ? UNREADABLE : 0;
    }
    if (strcmp(name, "s") == 0)
        add_socket(&f->sockets, value);
    if (strcmp(name, "moresockets") == 0)
        f->sockets.left_out = 1;
    if (strcmp(name, "nosockets") == 0) {
        f->sockets.error = UNREADABLE;
        f->sockets.error_fd = -1;
    }
}

/* A good process, where every number is to be said. */
static void begin_facts(struct posture_facts *f)
{
    f->linux_facts = true;
    (void)strcpy(f->system, "other");
    f->ids.known = true;
    f->capabilities.known = true;
    f->user_namespace.known = true;
    f->process.entropy = (struct fact_number){.known = true, .value = 1};
    f->process.label_error = EINVAL;
    f->executable.mode = S_IFREG | 0755;
    f->target.mode = S_IFREG | 0755;
    f->groups = calloc(2, sizeof(*f->groups));
    if (f->groups == NULL)
        must(-ENOMEM);
    f->groups[0] = 65532;
    f->groups[1] = 2000;
    f->group_count = 2;
}

static void set(struct posture_facts *f, const char *name, const char *value)
{
    struct fact_number *to = number_named(f, name);

    if (to != NULL)
        *to = fact(value);
    set_identity(f, name, value);
    set_process(f, name, value);
    set_files(f, name, value);
    set_paths(f, name, value);
    set_rest(f, name, value);
}

static void make_policy(struct test_case *c)
{
    c->policy = posture_policy_new();
    if (c->policy == NULL)
        must(-ENOMEM);
    must(posture_policy_set_mode_variable(c->policy, "PRODUCTION"));
    must(posture_policy_add_variable(
        c->policy, &(struct posture_variable){.name = flag_variables[0],
                       .shape = POSTURE_SHAPE_FLAG}));
    must(posture_policy_add_variable(
        c->policy, &(struct posture_variable){
                       .name = flag_variables[1], .required = true}));
    must(posture_policy_add_variable(
        c->policy, &(struct posture_variable){
                       .name = flag_variables[2], .pattern = "[0-9]+"}));
    for (size_t i = 0; i < c->count; i++)
        declare(c, c->words[i].name, c->words[i].value);
}

/* What is done weighs most, then the verdict. */
static int weight(const struct posture_finding *f)
{
    static const enum posture_verdict order[] = {
        POSTURE_UNKNOWN, POSTURE_WAIVED, POSTURE_FAIL};
    int result = (int)f->action * 10;

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (f->verdict == order[i])
            result += (int)i + 1;
    }
    return result;
}

/* The worst of a row. */
static const struct posture_finding *worst(
    const struct posture_report *report, const char *id)
{
    const struct posture_finding *found = NULL;

    for (size_t i = 0; i < posture_report_count(report); i++) {
        const struct posture_finding *f = posture_report_finding(report, i);

        if (strcmp(f->id, id) != 0)
            continue;
        if (found == NULL || weight(f) > weight(found))
            found = f;
    }
    return found;
}

static void answer(struct test_case *c, enum posture_phase phase)
{
    struct posture_report *report = calloc(1, sizeof(*report));

    if (report == NULL)
        must(-ENOMEM);
    report->phase = phase;
    check_judge(c->policy, c->facts, report);
    for (size_t i = 0; i < posture_invariant_count(); i++) {
        const char *id = posture_invariant_at(i)->id;
        const struct posture_finding *f = worst(report, id);

        if (f != NULL) {
            (void)printf("%s=%s/%d ", id, posture_verdict_name(f->verdict),
                (int)f->action);
        }
    }
    (void)printf("\n");
    posture_report_free(report);
}

static void split(struct test_case *c, char *line)
{
    char *rest = NULL;

    c->count = 0;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest)) {
        char *equals = strchr(word, '=');

        if (equals == NULL || c->count == WORDS_MAX)
            must(-EINVAL);
        *equals = '\0';
        c->words[c->count++] = (struct word){word, equals + 1};
    }
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    static struct test_case c;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        enum posture_phase phase = POSTURE_PHASE_BOOT;

        split(&c, line);
        make_policy(&c);
        must(facts_new(c.policy, &c.facts));
        begin_facts(c.facts);
        for (size_t i = 0; i < c.count; i++) {
            set(c.facts, c.words[i].name, c.words[i].value);
            if (strcmp(c.words[i].name, "phase") == 0)
                phase = (enum posture_phase)number(c.words[i].value);
        }
        answer(&c, phase);
        facts_free(c.facts);
        posture_policy_free(c.policy);
    }
    return 0;
}
