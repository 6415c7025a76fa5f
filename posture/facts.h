/*
 * facts: what one pass over the kernel saw, as plain data.
 *
 * A fact that could not be read is not known, and carries the errno.  All I/O
 * of the check is behind facts_collect(); the judges see this struct alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"
#include "posture/policy.h"

enum {
    FACTS_PATH_MAX = 1024,
    FACTS_COMPONENTS_MAX = 64,
    FACTS_FILES_MAX = 64,
    FACTS_SOCKETS_MAX = 128,
    FACTS_DESCRIPTORS_MAX = 64,
    FACTS_ACCESS_MAX = 16,
    FACTS_FIRST_ACTIVATED = 3, /* SD_LISTEN_FDS_START, sd_listen_fds(3) */
};

struct fact_ids {
    bool known; /* the real and the effective one */
    int error;  /* errno when not known */
    uint32_t real;
    uint32_t effective;
    int saved_error; /* errno when that is not known, or 0 */
    uint32_t saved;
    int filesystem_error; /* the same */
    uint32_t filesystem;
    bool contradicted; /* /proc/thread-self/status says otherwise */
};

/* Bits of linux/capability.h. */
struct fact_capabilities {
    bool known; /* all but the ambient set */
    int error;  /* errno when not known */
    uint64_t effective;
    uint64_t permitted;
    uint64_t inheritable;
    int ambient_error; /* errno when that is not known, or 0 */
    uint64_t ambient;
    bool contradicted; /* /proc/thread-self/status says otherwise */
};

struct fact_user_namespace {
    bool known;
    bool root_is_mapped; /* uid 0 here is another user outside */
    uint32_t root_outside;
    bool some_unmapped;    /* it does not map every owner of a file */
    uint32_t unmapped_uid; /* which stands for those */
};

/* One step of the way to a directory; a link stands before what it leads to. */
struct fact_component {
    char path[FACTS_PATH_MAX];
    uint32_t uid;
    uint32_t gid;
    uint32_t mode; /* with the type bits */
    uint64_t links;
    bool read_only;      /* on a read-only mount */
    bool on_root;        /* on the file system of "/" */
    const char *made_up; /* why its modes mean nothing, or NULL */
};

struct fact_file {
    char name[256];
    uint32_t uid;
    uint32_t mode; /* with the type bits */
};

/* What kept a walk from its end, where errno alone would mislead. */
enum fact_obstacle {
    FACT_OBSTACLE_ERRNO,  /* nothing else */
    FACT_OBSTACLE_EMPTY,  /* no path at all */
    FACT_OBSTACLE_CWD,    /* no working directory, for a relative path */
    FACT_OBSTACLE_LENGTH, /* more than FACTS_PATH_MAX */
    FACT_OBSTACLE_DEPTH,  /* more than FACTS_COMPONENTS_MAX */
};

struct fact_directory {
    int error; /* errno that ended the walk, or 0 */
    enum fact_obstacle obstacle;
    char at[FACTS_PATH_MAX]; /* where, when error is set */
    bool missing;            /* the components end at the last that exists */
    struct fact_component components[FACTS_COMPONENTS_MAX];
    size_t component_count;
    struct fact_file files[FACTS_FILES_MAX]; /* those that are not ours alone */
    size_t file_count;
    int files_error; /* errno of listing it, or 0 */
};

/* A socket that waits for whoever comes: a stream that listens, or a datagram
 * socket that is bound and not connected. */
struct fact_socket {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    uint64_t cookie; /* the same for each descriptor of a socket; 0: unknown */
    int fd;
    int family;
    int type;
    int protocol;
    int v6_only;    /* of IPv6: IPv4 does not reach it */
    bool activated; /* handed over by sd_listen_fds(3) to this very process */
};

struct fact_sockets {
    struct fact_socket list[FACTS_SOCKETS_MAX]; /* each socket once */
    size_t count;
    size_t left_out; /* found, and the list had no room */
    int error;       /* errno of the first that could not be read, or 0 */
    int error_fd;    /* its descriptor, or -1: the list of descriptors */
    bool no_ipv6;    /* this process can make no IPv6 socket */
};

struct fact_lock {
    bool held;        /* by another open file description */
    bool not_regular; /* a pipe, a device: nothing that could be locked */
    int error;        /* errno when that is not known, or 0 */
    char holder[32];
};

/* A number that the kernel was asked for. */
struct fact_number {
    bool known;
    int error; /* errno when not known */
    uint64_t value;
};

struct fact_variable {
    const char *name;
    const char *value;
};

enum {
    FACTS_NAMESPACE_PID,
    FACTS_NAMESPACE_IPC,
    FACTS_NAMESPACE_UTS,
    FACTS_NAMESPACES,
    FACTS_LOADER_MAX = 32,
    FACTS_GROUP_FILE_MAX = 65536, /* bytes of /etc/group that are read */
};

/* Where the kernel writes cores, core(5). */
enum fact_core_sink {
    FACT_CORE_FILE,
    FACT_CORE_PROGRAM, /* whatever RLIMIT_CORE says, unless it is 1 */
    FACT_CORE_SOCKET,  /* whatever RLIMIT_CORE says */
};

/* This process and its limits. */
struct fact_process {
    struct fact_number no_new_privs;
    bool no_new_privs_contradicted; /* /proc/thread-self/status differs */
    struct fact_number bounding;    /* bits of linux/capability.h */
    bool bounding_contradicted;     /* the same */
    struct fact_number dumpable;
    struct fact_number core_limit;  /* hard; UINT64_MAX: none */
    struct fact_number core_soft;   /* the limit in force; the same */
    struct fact_number core_sink;   /* enum fact_core_sink */
    struct fact_number descriptors; /* hard; UINT64_MAX: none */
    struct fact_number tracer;      /* process id; 0: none */
    char tracer_name[32];           /* "" if it cannot be seen */
    struct fact_number personality;
    struct fact_number randomize_va_space;
    struct fact_number entropy; /* known: getrandom(2) answers at once */
    int groups_error;           /* errno of getgroups(2), or 0 */
    struct fact_number privileged_group; /* known: it is among ours */
    char group_name[64];
    struct fact_number namespaces[FACTS_NAMESPACES]; /* inode numbers */
    struct fact_number seccomp; /* mode: 0, 1 strict, 2 filter */
    char label[128];            /* of the security module; "" if none */
    int label_error;            /* errno of reading it, or 0 */
    struct fact_variable loader[FACTS_LOADER_MAX]; /* those that are set */
    size_t loader_count;
    struct fact_number preload_file; /* is /etc/ld.so.preload not empty? */
};

/* The file of a program. */
struct fact_program {
    int error; /* errno that kept it from being examined, or 0 */
    char path[FACTS_PATH_MAX];
    bool deleted;   /* the file is gone; the rest is not known then */
    bool in_memory; /* memfd_create(2) */
    uint32_t mode;  /* with the type bits */
    struct fact_number writable;           /* by us: 1, or 0 */
    struct fact_number directory_writable; /* the same */
    struct fact_number capabilities;       /* of the file, as bits */
    uint64_t needed; /* of those, what exec must give or fail with EPERM */
};

enum fact_descriptor_kind {
    FACT_DESCRIPTOR_OTHER, /* a pipe, a file, an eventfd, … */
    FACT_DESCRIPTOR_DIRECTORY,
    FACT_DESCRIPTOR_DEVICE, /* but null, zero, random, a terminal, … */
    FACT_DESCRIPTOR_RUNTIME_SOCKET, /* connected to a container runtime */
};

struct fact_descriptor {
    int fd;
    enum fact_descriptor_kind kind;
    char target[128]; /* what /proc calls it */
};

/* Descriptors that exec let through, but 0, 1, 2 and those of activation. */
struct fact_descriptors {
    int error;             /* errno of listing them, or 0 */
    unsigned closed_stdio; /* bit n: descriptor n is closed */
    struct fact_descriptor list[FACTS_DESCRIPTORS_MAX];
    size_t count;
    size_t left_out; /* found, and the list had no room */
};

/* A path that exists, and whether we may do with it what is asked. */
struct fact_access {
    char path[FACTS_PATH_MAX];
    bool allowed;
    int error;    /* errno when that is not known, or 0 */
    dev_t device; /* of a runtime socket */
    ino_t inode;
};

/* What the machine or the container shows to this process. */
struct fact_host {
    struct fact_access runtime_sockets[FACTS_ACCESS_MAX];
    size_t runtime_socket_count;
    int mounts_error; /* errno of reading the mounts, or 0 */
    struct fact_access knobs[FACTS_ACCESS_MAX];
    size_t knob_count;
    struct fact_access devices[FACTS_ACCESS_MAX]; /* that we may read */
    size_t device_count;
    struct fact_number sys_read_only; /* is /sys mounted so? */
    struct fact_number root_read_only;
    struct fact_access system[FACTS_ACCESS_MAX]; /* /, /usr, /etc, /lib */
    size_t system_count;
    struct fact_number memory_limit; /* bytes; UINT64_MAX: none */
    struct fact_number memory;       /* bytes of the machine */
};

struct posture_facts {
    uint64_t now;     /* seconds since 1970 */
    bool linux_facts; /* false: the Linux-only facts were not read */
    char system[32];  /* lower case, when they were not */
    enum posture_platform platform;
    int status_error; /* errno when /proc/thread-self/status was not read */
    const char *mode_value;      /* of the mode variable, or NULL */
    const char **variables;      /* values by the policy's variables, or NULL */
    const char *single_instance; /* value of the assertion, or NULL */
    const char *scale_out; /* variable that marks such a platform, or NULL */
    uint32_t euid;
    uint32_t egid;
    struct fact_ids ids;
    struct fact_capabilities capabilities;
    struct fact_user_namespace user_namespace;
    struct fact_directory cert_cache; /* if the policy names one */
    struct fact_sockets sockets;
    struct fact_lock lock; /* if the policy names one */
    struct fact_process process;
    struct fact_program executable;
    struct fact_program target; /* if the policy names a program */
    struct fact_descriptors descriptors;
    struct fact_host host;
    struct fact_directory *key_files; /* as many as the policy names */
    /* The files of its allowed loader variables, in its order; looked at if
     * the variable has that value. */
    struct fact_directory *allowed_files;
    gid_t *groups; /* the effective one first; an allocation, or NULL */
    size_t group_count;
};

/* -ENOMEM, or 0 and facts that facts_free() releases. */
NONNULL int facts_new(
    const struct posture_policy *policy, struct posture_facts **ret);
void facts_free(struct posture_facts *facts);

/* Read what the policy asks for and the rows of the phase judge; a sealed
 * process could not read the rest.  facts_linux.c or facts_portable.c. */
NONNULL void facts_collect(const struct posture_policy *policy,
    enum posture_phase phase, struct posture_facts *ret);

/* Its parts, one file each; facts_files.h has what differs by system. */
NONNULL void facts_environment(
    const struct posture_policy *policy, struct posture_facts *ret);
NONNULL void facts_directory(const char *path, struct fact_directory *ret);
/* The way to a file, which is the last component; links are resolved, the last
 * one too. */
NONNULL void facts_file(const char *path, struct fact_directory *ret);
NONNULL void facts_lock(const char *path, struct fact_lock *ret);
/* One pass over all descriptors; ret_others may be NULL. */
void facts_sockets(
    struct fact_sockets *ret, struct fact_descriptors *ret_others);

struct proc_status;
NONNULL void facts_process(const struct posture_policy *policy, gid_t egid,
    const struct proc_status *status, struct fact_process *ret);
/* Of it, what the phase sealed judges; the phase boot reads it too. */
NONNULL void facts_sealed_process(const struct posture_policy *policy,
    enum posture_phase phase, const struct proc_status *status,
    struct fact_process *ret);

/* After facts_process(). */
NONNULL void facts_loader(
    const struct posture_policy *policy, struct posture_facts *ret);
NONNULL void facts_program(
    const struct posture_policy *policy, struct posture_facts *ret);
/* One descriptor that /proc lists in the open directory under that name. */
NONNULL void facts_descriptor(
    int dir, const char *name, int fd, struct fact_descriptors *ret);
/* Which of 0, 1 and 2 are closed, as bits. */
unsigned facts_closed_stdio(void);
NONNULL void facts_host(uint32_t euid, struct fact_host *ret);

/* Is it the path of a container runtime's socket? */
NONNULL bool facts_is_runtime_socket(const char *path);

/* How many descriptors sd_listen_fds(3) hands to this very process; they
 * begin with FACTS_FIRST_ACTIVATED. */
int facts_activated_count(void);

/* Open what /proc has of that name about the calling thread; a descriptor, or
 * -1 and errno.  In facts_linux.c. */
MUST_CHECK NONNULL int facts_open_self(const char *name, int flags);

/* Of Linux alone, in facts_linux.c: */
struct fact_number facts_number(bool known, uint64_t value, int error);
/* The first bytes of a file, NUL-terminated: the length, or -errno. */
NONNULL ssize_t facts_read_head(const char *path, char *ret, size_t cap);
