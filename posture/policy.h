/*
 * policy: the inside of struct posture_policy.  Plain data that only
 * policy.c changes; strings live in its arena.
 */
#pragma once

#include <stddef.h>

#include "posture/arena.h"
#include "posture/listener_address.h"
#include "posture/posture.h"

struct policy_listener {
    const char *address;
    const char *label;
    struct listener_address at; /* the address, parsed */
};

struct policy_listeners {
    struct policy_listener *list;
    size_t count;
};

struct policy_value {
    const char *name;
    const char *value;
};

struct policy_waiver {
    enum posture_error error; /* the row's */
    uint32_t until;           /* days since 1970, the last one included */
    const char *date;
    const char *reason;
};

struct posture_policy {
    struct arena arena;
    enum posture_mode mode;
    const char *mode_variable; /* or NULL */
    uint64_t capabilities;     /* allowed, as bits */
    struct posture_variable *variables;
    size_t variable_count;
    struct posture_problem *problems;
    size_t problem_count;
    const char *cert_cache;       /* or NULL */
    const char *plaintext_option; /* or NULL */
    const char *plaintext_address;
    struct policy_listeners expected;
    struct policy_listeners planned;
    bool activation;      /* sockets that were handed over may be held */
    bool single_instance; /* more than one must not run */
    bool shared_backend;
    const char *single_instance_variable; /* or NULL */
    const char *lock_path;                /* or NULL */
    unsigned seal;                        /* POSTURE_SEALS_... */
    bool container;
    uint64_t descriptors; /* needed; 0: not declared */
    const char *descriptors_why;
    struct policy_value *allowed; /* loader variables */
    size_t allowed_count;
    const char *program;            /* that will take our place, or NULL */
    struct policy_value *key_files; /* name: the path; value: the label */
    size_t key_file_count;
    unsigned catalogue; /* rows of later ones only warn */
    struct policy_waiver *waivers;
    size_t waiver_count;
};
