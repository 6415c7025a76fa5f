/* config_help: the flags as the manual page has them; --help is in config.h.
 * Both are made from the table of config_flags.h. */
#pragma once

#include <stdio.h>

#include "base/attr.h"

/* Sections OPTIONS and ENVIRONMENT of man(7), in that order. */
NONNULL void config_manual(FILE *out);
