/*
 * environment: variables that a process must not keep.
 *
 * For a process of one thread: the environment has no lock.
 */
#pragma once

#include "base/attr.h"

/* Overwrite the value where it stands, which is also what /proc shows of it,
 * and take the variable out.  Nothing where it is not set. */
NONNULL void environment_forget(const char *name);
