/*
 * loader_variable: the variables of `loader-environment`, and the files that
 * a value of theirs names.  ld.so(8), and the manuals of glibc and OpenSSL.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

size_t loader_variable_count(void);
/* In a fixed order; NULL past the end. */
const char *loader_variable_name(size_t index);

/*
 * The next file or directory that the value names, taken off *rest; empty at
 * the end.  Of variables that name none it is empty at once.  What does not
 * begin with a slash is looked for where the loader or the library likes.
 */
NONNULL struct span loader_variable_file(const char *name, struct span *rest);

/* How many there are. */
NONNULL size_t loader_variable_files(const char *name, const char *value);
