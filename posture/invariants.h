/* invariants: the table.  A new invariant is one row and one pure function. */
#pragma once

#include "posture/judge.h"

struct invariant {
    struct posture_invariant about;
    judge_fn *judge;
};

size_t invariants_count(void);
const struct invariant *invariants_at(size_t index);
