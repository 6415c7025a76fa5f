/*
 * judge_path: what is wrong with the way to a file or directory that must be
 * ours alone; for the rows on such paths, which set judgement.walk.
 */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "posture/judge.h"

struct path_fault {
    const char *path;
    const char *reason;
    const char *expected;
    const char *commands[2]; /* each before the path; NULL: the row's fix */
    const char *advice;      /* instead of commands */
    uint32_t uid;
    uint32_t mode;
};

/* The component that the walk reached last; there is one. */
NONNULL const struct fact_component *judge_path_last(const struct judgement *j);

NONNULL void judge_path_fault(
    const struct judgement *j, const struct path_fault *fault);
/* The same, where the owner is what is wrong. */
NONNULL void judge_path_owner_fault(
    const struct judgement *j, struct path_fault fault);
/* That modes mean nothing there. */
NONNULL void judge_path_made_up(
    const struct judgement *j, const struct fact_component *c, bool harmless);

/*
 * Of a walk that reached its end: the first directory or link above the last
 * component by which somebody else can replace it; NULL: there is none.
 */
NONNULL const struct fact_component *judge_path_weak_ancestor(
    const struct fact_directory *walk, uint32_t euid);

/* Judge the first components, each a directory or link above; are all fine? */
NONNULL bool judge_path_ancestors(const struct judgement *j, size_t count);
/* Add why the walk did not reach the end. */
NONNULL void judge_path_ended_early(const struct judgement *j);
/* To a text that says what passed: which open directories above, and why. */
NONNULL void judge_path_accepted(
    const struct judgement *j, size_t above, struct text *t);
