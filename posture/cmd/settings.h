/*
 * settings: what a policy can say, from one table: `--name value` on the
 * command line and `name = value` in a policy file are the same.
 */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "posture/posture.h"

struct settings {
    struct posture_policy *policy;
    uint64_t capabilities; /* allowed so far */
    uint64_t given;        /* bit n: row n of the table was set */
    struct setting *said;  /* each that holds, in the order given */
    size_t said_count;
};

struct setting {
    size_t index;
    char *value;
};

enum settings_outcome {
    SETTINGS_OK,
    SETTINGS_UNKNOWN,   /* no such name */
    SETTINGS_BAD_VALUE, /* why says what is wrong with it */
    SETTINGS_TWICE,     /* set already, and it takes one value only */
    SETTINGS_NO_MEMORY,
};

/* The number of a setting, -1 if there is none of that name. */
NONNULL int settings_find(const char *name);
size_t settings_count(void);
const char *settings_name(size_t index);
/* How --help shows its value; "" if it takes none. */
const char *settings_value_name(size_t index);
const char *settings_help(size_t index);

NONNULL void settings_done(struct settings *settings);

/* value is "" for a setting that takes none.  why is filled on BAD_VALUE. */
NONNULL enum settings_outcome settings_set(struct settings *settings,
    size_t index, const char *value, struct text *why);
