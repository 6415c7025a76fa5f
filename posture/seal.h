/*
 * seal: give up for good what a process no longer needs, and prove it.
 *
 * Only this process is tightened, nothing shared is touched, and nothing can
 * be taken back: no_new_privs, capabilities, core dumps and tracing, writing
 * outside declared paths and binding other TCP ports (Landlock), and system
 * calls (seccomp).  Applied after the sockets are bound and before threads
 * are started: all of it but core dumps binds the calling thread alone, and
 * those that it starts later.  Where /proc shows others they are missing.
 *
 * Afterwards the kernel is asked again; a part is enforced only if it says so.
 * See prctl(2), capabilities(7), landlock(7), seccomp(2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* identifier, name, what it takes away */
#define SEAL_PART_LIST(X)                                                      \
    X(SEAL_NO_NEW_PRIVS, "no-new-privs", "exec of setuid files gives nothing") \
    X(SEAL_CAPABILITIES, "capabilities", "none is held, none can come back")   \
    X(SEAL_NOT_DUMPABLE, "not-dumpable", "no core dump, no tracer")            \
    X(SEAL_FILES, "files", "no writing outside the declared paths")            \
    X(SEAL_TCP_BIND, "tcp-bind", "no binding of other TCP ports")              \
    X(SEAL_SYSCALLS, "syscalls", "no system call beyond the profile")          \
    X(SEAL_NO_CORE, "no-core", "no core dump, past an exec too")

enum seal_part {
#define X(id, name, text) id,
    SEAL_PART_LIST(X)
#undef X
        SEAL_PART_COUNT
};

/* Which system calls stay. */
enum seal_profile {
    /* a server whose sockets are bound: reads, writes, accepts, nothing more;
     * every other call raises SIGSYS */
    SEAL_PROFILE_SERVER,
    /* any program: all but what no service needs (mounting, modules, tracing,
     * namespaces, ...); those fail with EPERM, and clone3(2) with ENOSYS */
    SEAL_PROFILE_PROGRAM,
    /* a program that connects out: the same, and it serves nobody and runs no
     * other program; what it forks is bound likewise */
    SEAL_PROFILE_CLIENT,
};

struct seal_plan {
    unsigned parts; /* bit n: enum seal_part n */
    enum seal_profile profile;
    /* SEAL_PROFILE_SERVER: threads may be started after the seal.  Forking
     * stays refused, with EPERM in place of SIGSYS. */
    bool threads;
    const char *const *writable; /* directories and files; missing ones too */
    size_t writable_count;
    const uint16_t *bind_ports; /* TCP */
    size_t bind_port_count;
};

enum seal_state {
    SEAL_NOT_ASKED,
    SEAL_HELD_BEFORE, /* the platform had provided it */
    SEAL_ENFORCED,
    SEAL_MISSING, /* asked for and not so */
};

struct seal_report {
    struct {
        enum seal_state state;
        int error;       /* errno behind SEAL_MISSING, or 0 */
        const char *why; /* constant text behind SEAL_MISSING, else NULL */
    } parts[SEAL_PART_COUNT];
    int landlock_abi; /* 0: none */
};

/* Apply the plan, ask the kernel again, probe; ret has every part. */
NONNULL void seal_apply(const struct seal_plan *plan, struct seal_report *ret);

/* Is every part that was asked for in force? */
NONNULL bool seal_is_whole(const struct seal_report *report);

const char *seal_part_name(enum seal_part part);
const char *seal_state_name(enum seal_state state);

/* The name of a system call of this machine's architecture, or NULL.  Safe in
 * a signal handler. */
const char *seal_syscall_name(int number);
