#include "acme/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

void failure_set(
    struct failure *failure, enum agent_failure kind, const char *fmt, ...)
{
    va_list args;
    struct span text;

    va_start(args, fmt);
    if (vsnprintf(failure->text, sizeof(failure->text), fmt, args) < 0)
        failure->text[0] = '\0';
    va_end(args);
    text = span_str(failure->text);
    if (text.len == sizeof(failure->text) - 1)
        failure->text[utf8_floor(text, text.len - 3)] = '\0';
    if (failure->text[0] == '\0') {
        failure->text[0] = '?';
        failure->text[1] = '\0';
    }
    failure->kind = kind;
    failure->retry_after_s = 0;
}
