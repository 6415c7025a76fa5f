/*
 * rows: the entries of the table, one variable each, in the files of their
 * groups (rows_core.c, ...); invariants.c has their order.
 */
#pragma once

#include "posture/invariants.h"

/* By enum posture_mode: development, public, production. */
#define ALWAYS_REFUSED                                                         \
    {                                                                          \
        POSTURE_ACTION_REFUSE, POSTURE_ACTION_REFUSE, POSTURE_ACTION_REFUSE    \
    }
#define EXPOSED_REFUSED                                                        \
    {                                                                          \
        POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE, POSTURE_ACTION_REFUSE      \
    }
#define ALWAYS_WARNED                                                          \
    {                                                                          \
        POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_WARN          \
    }
#define PRODUCTION_REFUSED                                                     \
    {                                                                          \
        POSTURE_ACTION_WARN, POSTURE_ACTION_WARN, POSTURE_ACTION_REFUSE        \
    }

#define AT_BOOT   (1U << POSTURE_PHASE_BOOT)
#define AT_BOUND  (1U << POSTURE_PHASE_BOUND)
#define AT_SEALED (1U << POSTURE_PHASE_SEALED)

extern const struct invariant row_config;
extern const struct invariant row_running_as_root;
extern const struct invariant row_capabilities;
extern const struct invariant row_cert_cache;
extern const struct invariant row_plaintext_listener;
extern const struct invariant row_listeners;
extern const struct invariant row_single_instance;

/* rows_process.c */
extern const struct invariant row_no_way_back;
extern const struct invariant row_loader_environment;
extern const struct invariant row_traced;
extern const struct invariant row_descriptor_limit;
extern const struct invariant row_clock;
extern const struct invariant row_entropy;
extern const struct invariant row_personality;
extern const struct invariant row_host_namespaces;
extern const struct invariant row_privileged_group;
extern const struct invariant row_confinement;
extern const struct invariant row_core_dumps;

/* rows_files.c */
extern const struct invariant row_executable;
extern const struct invariant row_inherited_descriptors;
extern const struct invariant row_key_files;

/* rows_host.c */
extern const struct invariant row_runtime_socket;
extern const struct invariant row_privileged_container;
extern const struct invariant row_root_filesystem;
extern const struct invariant row_memory_limit;
