/* seal_option: the value of --seal as a plan; see posture/seal.h.
 *
 *     no-new-privs,capabilities,syscalls,bind=8080,write=/var/lib/app
 *
 * bind=none and write=none forbid all. */
#pragma once

#include "base/attr.h"
#include "posture/seal.h"

enum { SEAL_OPTION_MAX = 32 };

struct seal_option {
    struct seal_plan plan;
    const char *writable[SEAL_OPTION_MAX];
    uint16_t ports[SEAL_OPTION_MAX];
    char *words; /* a copy that the paths point into */
};

/* 0, -ENOMEM, or -EINVAL and *bad at the word that is none. */
NONNULL int seal_option_parse(
    struct seal_option *ret, const char *value, const char **bad);
NONNULL void seal_option_done(struct seal_option *option);
