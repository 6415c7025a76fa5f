/* print: reports for people and for machines. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "posture/posture.h"

/* name, function; `--format=name` */
#define PRINT_FORMAT_LIST(X)                                                   \
    X(text, print_text)                                                        \
    X(json, print_json)                                                        \
    X(junit, print_junit)                                                      \
    X(sarif, print_sarif)                                                      \
    X(prometheus, print_prometheus)                                            \
    X(logfmt, print_logfmt)

/* Each writes the whole report; false when there is no memory. */
typedef bool print_fn(const struct posture_report *report, FILE *out);

#define X(name, function) print_fn function;
PRINT_FORMAT_LIST(X)
#undef X

/* The function of a format, NULL if there is none of that name. */
NONNULL print_fn *print_find(const char *name);

/* The findings that ask for something, as print_text shows them. */
NONNULL void print_failures(const struct posture_report *report, FILE *out);
