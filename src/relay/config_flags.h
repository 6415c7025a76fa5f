/* config_flags: the table of flags behind config.h. */
#pragma once

#include "relay/config.h"

enum config_kind {
    CONFIG_KIND_TEXT,
    CONFIG_KIND_BOOL,
    CONFIG_KIND_COUNT,
    CONFIG_KIND_LIST, /* may be given several times */
};

struct config_flag_row {
    const char *name;
    enum config_kind kind;
    const char *value; /* how it is named; "": takes none */
    const char *initial;
    const char *preset; /* the default in words, where initial or count does not
                           say it */
    const char *help;   /* a line of --help, which says the default, too */
    const char *manual; /* sentences of the manual page */
    /* of a number */
    uint64_t least;
    uint64_t most;
    uint64_t count; /* the default; 0 in a row of which least is 1: computed */
};

const struct config_flag_row *config_flag_row(size_t flag);

/* The flag of that name, or CONFIG_FLAG_COUNT. */
NONNULL size_t config_flag_find(const char *name, size_t len);
