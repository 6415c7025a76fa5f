/*
 * posture: is this process allowed to serve?
 *
 * Describe what the deployment must look like in a policy, run the check in
 * a phase of the boot, and read the report:
 *
 *     facts (one pass over the kernel) -> invariants (a table of pure
 *     functions) -> report (every invariant with its verdict)
 *
 * The library keeps no state, writes no log, repairs nothing and never exits.
 * Functions may be called from any thread as long as no two threads share one
 * object.  Functions that return int return 0 or a negative errno.
 */
#ifndef POSTURE_H
#define POSTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTURE_API __attribute__((visibility("default")))

/* How strict the check is; decided by the mode variable, see below. */
enum posture_mode {
    POSTURE_MODE_DEVELOPMENT, /* warns where it may */
    POSTURE_MODE_PUBLIC,      /* serves the internet, production not declared */
    POSTURE_MODE_PRODUCTION,  /* refuses */
};

enum posture_phase {
    POSTURE_PHASE_BOOT,   /* after the options, before any socket */
    POSTURE_PHASE_BOUND,  /* after bind and listen, before the first accept */
    POSTURE_PHASE_SEALED, /* after the process gave up what it declared */
};

enum posture_verdict {
    POSTURE_PASS,
    POSTURE_FAIL,
    POSTURE_UNKNOWN,        /* the fact could not be read; errno says why */
    POSTURE_NOT_APPLICABLE, /* not on this platform, or not configured */
    POSTURE_WAIVED,         /* failed, and the policy carries a waiver */
    POSTURE_ENFORCED,       /* established by the process's own seal */
};

/* What a finding asks of the caller, by mode and severity. */
enum posture_action {
    POSTURE_ACTION_NONE,
    POSTURE_ACTION_WARN,
    POSTURE_ACTION_REFUSE,
};

/* Sentinels: one for each invariant, in table order.  Append only. */
enum posture_error {
    POSTURE_ERR_NONE,
    POSTURE_ERR_INVALID_CONFIG,
    POSTURE_ERR_RUNNING_AS_ROOT,
    POSTURE_ERR_UNEXPECTED_CAPABILITY,
    POSTURE_ERR_CACHE_DIR_INSECURE,
    POSTURE_ERR_INSECURE_LISTEN_IN_PRODUCTION,
    POSTURE_ERR_UNEXPECTED_LISTENER,
    POSTURE_ERR_MULTI_INSTANCE_DEPLOY_DETECTED,
    POSTURE_ERR_PRIVILEGE_REGAINABLE,
    POSTURE_ERR_LOADER_INJECTION,
    POSTURE_ERR_BEING_TRACED,
    POSTURE_ERR_EXECUTABLE_INSECURE,
    POSTURE_ERR_INHERITED_DESCRIPTOR,
    POSTURE_ERR_RUNTIME_SOCKET_EXPOSED,
    POSTURE_ERR_DESCRIPTOR_LIMIT_TOO_LOW,
    POSTURE_ERR_KEY_FILE_INSECURE,
    POSTURE_ERR_CLOCK_UNSET,
    POSTURE_ERR_ENTROPY_UNAVAILABLE,
    POSTURE_ERR_ASLR_DISABLED,
    POSTURE_ERR_PRIVILEGED_CONTAINER,
    POSTURE_ERR_HOST_NAMESPACE,
    POSTURE_ERR_PRIVILEGED_GROUP,
    POSTURE_ERR_WRITABLE_ROOT,
    POSTURE_ERR_NO_MEMORY_LIMIT,
    POSTURE_ERR_UNCONFINED,
    POSTURE_ERR_CORE_DUMP_POSSIBLE,
};

/* Where the process runs: chooses the fix that is printed, nothing else. */
enum posture_platform {
    POSTURE_PLATFORM_BARE,
    POSTURE_PLATFORM_DOCKER,
    POSTURE_PLATFORM_PODMAN,
    POSTURE_PLATFORM_KUBERNETES,
    POSTURE_PLATFORM_FLY,
    POSTURE_PLATFORM_SYSTEMD,
    POSTURE_PLATFORM_COUNT
};

struct posture_policy;
struct posture_report;

/* ---- policy: strings are copied; NULL from new() means out of memory ---- */

POSTURE_API struct posture_policy *posture_policy_new(void);
POSTURE_API void posture_policy_free(struct posture_policy *policy);

/* The mode when the mode variable is unset; development if never called. */
POSTURE_API void posture_policy_set_mode(
    struct posture_policy *policy, enum posture_mode mode);

/*
 * The environment variable that says production: exactly "1" or unset.  Any
 * other value fails `config`, and counts as production.
 */
POSTURE_API int posture_policy_set_mode_variable(
    struct posture_policy *policy, const char *name);

/* Capabilities that may be held, as bits of linux/capability.h.  Default:
 * CAP_NET_BIND_SERVICE alone. */
POSTURE_API void posture_policy_set_capabilities(
    struct posture_policy *policy, uint64_t allowed);

/* The shape that the value of a declared variable must have. */
enum posture_shape {
    POSTURE_SHAPE_ANY,
    POSTURE_SHAPE_FLAG, /* exactly "1", or unset */
};

/*
 * A variable that the program reads: judged by `config`.  check, where given,
 * returns NULL if the value is valid and else the reason as a constant text
 * that does not quote the value.  The value of a secret variable is never
 * printed.
 */
struct posture_variable {
    const char *name;
    enum posture_shape shape;
    bool required;
    bool secret;
    const char *(*check)(const char *value);
    /* POSIX extended regular expression that the whole value matches, or
     * NULL; -EINVAL when it is added if it is none. */
    const char *pattern;
    const char *fix; /* for a person; NULL: "set NAME to ... or unset it" */
};
POSTURE_API int posture_policy_add_variable(
    struct posture_policy *policy, const struct posture_variable *variable);

/* Something wrong that the program found in its own options: a finding of
 * `config`. */
struct posture_problem {
    const char *key;      /* the flag, "--max-connections" */
    const char *observed; /* the offending value, or what was seen */
    const char *expected;
    const char *reason;
    const char *fix;
};
POSTURE_API int posture_policy_add_problem(
    struct posture_policy *policy, const struct posture_problem *problem);

/* The directory of certificates and keys; unset: `cert-cache` does not apply. */
POSTURE_API int posture_policy_set_cert_cache(
    struct posture_policy *policy, const char *path);

/* A file that holds a secret: judged by `key-files`.  label says which option
 * named it. */
POSTURE_API int posture_policy_add_key_file(
    struct posture_policy *policy, const char *path, const char *label);

/* The file of a program that will take this process's place: `executable`
 * judges it too. */
POSTURE_API int posture_policy_set_program(
    struct posture_policy *policy, const char *path);

/* A public listener without TLS is configured by that option with that
 * value; never called: `plaintext-listener` passes. */
POSTURE_API int posture_policy_set_plaintext_listener(
    struct posture_policy *policy, const char *option, const char *address);

/*
 * A socket that this process may hold waiting for whoever comes: in phase bound
 * there must be exactly one for each call, so a program with several
 * SO_REUSEPORT sockets on one address calls it once for each.  address is
 * "IP:PORT", "[IP]:PORT", or ":PORT" for one socket that takes both families
 * ([::] with IPv4; 0.0.0.0 where the process can make no IPv6 socket), of TCP;
 * the same behind "udp:" or "mptcp:"; or "unix:/PATH", "unix:@NAME" of an
 * abstract one, "unixgram:" of datagrams.  label says which option asked for
 * it.  -EINVAL: not such an address.
 */
POSTURE_API int posture_policy_expect_listener(
    struct posture_policy *policy, const char *address, const char *label);

/* A socket that this process is about to bind: in phase boot it must be an
 * expected one.  Register what the code that binds will bind, not what the
 * options say.  Parameters and errors as above. */
POSTURE_API int posture_policy_plan_listener(
    struct posture_policy *policy, const char *address, const char *label);

/* The program adopts the sockets of sd_listen_fds(3): in phase boot they may
 * be held.  Never called: they are inherited as any other. */
POSTURE_API void posture_policy_allow_activation(struct posture_policy *policy);

/*
 * Single instance: the variable by which the operator asserts it ("1"); a
 * shared backend makes the assertion unnecessary; the lock file whose lock
 * another instance would hold.  Any may be left out.
 */
POSTURE_API int posture_policy_set_single_instance(
    struct posture_policy *policy, const char *variable, const char *lock_path);
POSTURE_API void posture_policy_set_shared_backend(
    struct posture_policy *policy);

/*
 * What the process will take from itself after the phase bound.  The rows
 * that a seal satisfies are judged in phase sealed then, from the kernel
 * again.
 */
#define POSTURE_SEALS_NO_NEW_PRIVS 1U /* no-way-back */
#define POSTURE_SEALS_NOT_DUMPABLE 2U /* core-dumps, in whatever way */
POSTURE_API void posture_policy_declare_seal(
    struct posture_policy *policy, unsigned seals);

/* The process is meant to run in a container: `host-namespaces` applies. */
POSTURE_API void posture_policy_set_container(struct posture_policy *policy);

/* How many open files it needs, and the sum as text ("1000 connections + 64");
 * 0: `descriptor-limit` does not apply. */
POSTURE_API int posture_policy_set_descriptors(
    struct posture_policy *policy, uint64_t needed, const char *why);

/* A variable of `loader-environment` that may be set to exactly that value. */
POSTURE_API int posture_policy_allow_environment(
    struct posture_policy *policy, const char *name, const char *value);

/*
 * A waiver: a failure of that row warns instead of refusing, until the end of
 * that day (YYYY-MM-DD, UTC), at most 90 days away; each check says so.  Once
 * over, it is no waiver.  -EINVAL: no such row, a row of the core (the first
 * seven), no date, or a reason of less than 10 characters.
 */
POSTURE_API int posture_policy_add_waiver(struct posture_policy *policy,
    const char *id, const char *until, const char *reason);

/*
 * The version of the table of invariants.  A row that a catalogue brings warns
 * only, where it would refuse, until a policy names that catalogue or the next
 * minor release comes: an upgrade alone stops nobody.
 */
#define POSTURE_CATALOGUE 1U
/* -EINVAL: 0, or more than this library has. */
POSTURE_API int posture_policy_set_catalogue(
    struct posture_policy *policy, unsigned catalogue);

/* ---- check ---- */

/* Stop at the first finding that asks for refusal. */
#define POSTURE_STOP_AT_FIRST 1U

/*
 * Read the facts and judge every invariant of that phase.  -ENOMEM, or 0 and
 * a report that the caller frees, whatever the verdicts are.
 */
POSTURE_API int posture_check(const struct posture_policy *policy,
    enum posture_phase phase, unsigned flags,
    struct posture_report **ret_report);
POSTURE_API void posture_report_free(struct posture_report *report);

/* ---- report ---- */

/*
 * One finding.  Every invariant of the phase has at least one; `config` and
 * `listeners` have one for each thing that is wrong.  Strings live as long as
 * the report and are never NULL.
 */
struct posture_finding {
    const char *id;       /* "running-as-root" */
    const char *sentinel; /* "ErrRunningAsRoot" */
    enum posture_error error;
    enum posture_verdict verdict;
    enum posture_action action;
    int error_number;   /* errno behind POSTURE_UNKNOWN, or 0 */
    const char *object; /* variable, flag, path, address; may be "" */
    const char *observed;
    const char *expected;
    const char *reason;  /* one sentence; "" on a pass */
    const char *fix;     /* to paste, for the detected platform; "" on a pass */
    const char *impact;  /* what the fix may break; may be "" */
    const char *runbook; /* where it is explained, with the sources */
};

/* The mode that was in force, after reading the mode variable. */
POSTURE_API enum posture_mode posture_report_mode(
    const struct posture_report *report);
POSTURE_API enum posture_platform posture_report_platform(
    const struct posture_report *report);
/* The strictest action any finding asks for. */
POSTURE_API enum posture_action posture_report_action(
    const struct posture_report *report);
POSTURE_API size_t posture_report_count(const struct posture_report *report);
POSTURE_API const struct posture_finding *posture_report_finding(
    const struct posture_report *report, size_t index);
/* How many findings ask for that action. */
POSTURE_API size_t posture_report_actions(
    const struct posture_report *report, enum posture_action action);
/* Did an invariant with that sentinel fail, be it warned of or refused? */
POSTURE_API bool posture_report_has(
    const struct posture_report *report, enum posture_error error);
/* NULL, or one sentence to warn with once: `running on X, skipping linux-only
 * checks`. */
POSTURE_API const char *posture_report_notice(
    const struct posture_report *report);

/* Renderers.  Like snprintf: return the length the whole text has, write at
 * most size - 1 bytes and a NUL.  Control characters are escaped. */
POSTURE_API size_t posture_finding_logfmt(
    const struct posture_finding *finding, char *buf, size_t size);
POSTURE_API size_t posture_report_json(
    const struct posture_report *report, char *buf, size_t size);

/* ---- catalogue ---- */

struct posture_invariant {
    const char *id;
    const char *sentinel;
    enum posture_error error;
    const char *rule; /* one sentence: what must hold */
    const char *why;  /* the attack or accident that it stops */
    const char *fix[POSTURE_PLATFORM_COUNT];
    const char *impact;
    enum posture_action action[3]; /* on failure, by enum posture_mode */
    enum posture_action on_unknown[3];
    bool linux_only;
    unsigned phases;     /* bit n: judged in enum posture_phase n */
    const char *runbook; /* where it is explained, with the sources */
    unsigned since;      /* the catalogue that brought it */
};

POSTURE_API size_t posture_invariant_count(void);
/* In table order; NULL past the end. */
POSTURE_API const struct posture_invariant *posture_invariant_at(size_t index);
POSTURE_API const struct posture_invariant *posture_invariant_find(
    const char *id);

POSTURE_API const char *posture_platform_name(enum posture_platform platform);
POSTURE_API const char *posture_mode_name(enum posture_mode mode);
POSTURE_API const char *posture_verdict_name(enum posture_verdict verdict);
POSTURE_API const char *posture_version(void);

#ifdef __cplusplus
}
#endif

#endif
