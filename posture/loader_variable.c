#include "posture/loader_variable.h"

#include <string.h>

/* What stands between the files of a value; "": it names one file; NULL: it
 * names none. */
static const struct {
    const char *name;
    const char *separators;
} variables[] = {
    {"LD_PRELOAD", ": "},
    {"LD_AUDIT", ":"},
    {"LD_LIBRARY_PATH", ":;"},
    {"LD_DEBUG", NULL},
    {"LD_DEBUG_OUTPUT", ""},
    {"LD_PROFILE", NULL},
    {"LD_PROFILE_OUTPUT", ""},
    {"LD_ORIGIN_PATH", ""},
    {"LD_BIND_NOT", NULL},
    {"LD_DYNAMIC_WEAK", NULL},
    {"LD_SHOW_AUXV", NULL},
    {"LD_TRACE_LOADED_OBJECTS", NULL},
    {"GLIBC_TUNABLES", NULL},
    {"GCONV_PATH", ":"},
    {"LOCPATH", ":"},
    {"NLSPATH", ":"},
    {"RES_OPTIONS", NULL},
    {"HOSTALIASES", ""},
    {"MALLOC_TRACE", ""},
    {"OPENSSL_CONF", ""},
    {"OPENSSL_CONF_INCLUDE", ""},
    {"OPENSSL_MODULES", ""},
    {"OPENSSL_ENGINES", ""},
    {"SSLKEYLOGFILE", ""},
};

size_t loader_variable_count(void)
{
    return ARRAY_LEN(variables);
}

const char *loader_variable_name(size_t index)
{
    return index < ARRAY_LEN(variables) ? variables[index].name : NULL;
}

static const char *separators_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (strcmp(variables[i].name, name) == 0)
            return variables[i].separators;
    }
    return NULL;
}

static bool is_one_of(uint8_t c, const char *list)
{
    return c != '\0' && strchr(list, c) != NULL;
}

struct span loader_variable_file(const char *name, struct span *rest)
{
    const char *separators = separators_of(name);
    size_t start = 0;
    size_t end = 0;

    if (separators == NULL)
        return span_of(NULL, 0);
    while (start < rest->len && is_one_of(rest->ptr[start], separators))
        start++;
    end = start;
    while (end < rest->len && !is_one_of(rest->ptr[end], separators))
        end++;

    struct span file = span_of(rest->ptr + start, end - start);

    *rest = span_from(*rest, end);
    return file;
}

size_t loader_variable_files(const char *name, const char *value)
{
    struct span rest = span_str(value);
    size_t count = 0;

    while (loader_variable_file(name, &rest).len > 0)
        count++;
    return count;
}
