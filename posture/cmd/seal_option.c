#include "posture/cmd/seal_option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static void ask(struct seal_option *o, enum seal_part part)
{
    o->plan.parts |= 1U << part;
}

static bool add_port(struct seal_option *o, const char *text)
{
    uint64_t port = 0;

    ask(o, SEAL_TCP_BIND);
    if (strcmp(text, "none") == 0)
        return true;
    if (o->plan.bind_port_count == SEAL_OPTION_MAX ||
        !num_parse_u64(span_str(text), UINT16_MAX, &port) || port == 0)
        return false;
    o->ports[o->plan.bind_port_count++] = (uint16_t)port;
    return true;
}

static bool add_path(struct seal_option *o, const char *path)
{
    ask(o, SEAL_FILES);
    if (strcmp(path, "none") == 0)
        return true;
    if (o->plan.writable_count == SEAL_OPTION_MAX || path[0] != '/')
        return false;
    o->writable[o->plan.writable_count++] = path;
    return true;
}

static bool add_word(struct seal_option *o, const char *word)
{
    if (strncmp(word, "bind=", 5) == 0)
        return add_port(o, word + 5);
    if (strncmp(word, "write=", 6) == 0)
        return add_path(o, word + 6);
    if (strcmp(word, "no-new-privs") == 0) {
        ask(o, SEAL_NO_NEW_PRIVS);
    } else if (strcmp(word, "capabilities") == 0) {
        ask(o, SEAL_CAPABILITIES);
    } else if (strcmp(word, "no-core") == 0) {
        ask(o, SEAL_NO_CORE);
    } else if (strcmp(word, "syscalls") == 0) {
        ask(o, SEAL_SYSCALLS);
    } else {
        return false;
    }
    return true;
}

int seal_option_parse(
    struct seal_option *ret, const char *value, const char **bad)
{
    char *rest = NULL;

    *ret = (struct seal_option){.words = strdup(value)};
    if (ret->words == NULL)
        return -ENOMEM;
    ret->plan.profile = SEAL_PROFILE_PROGRAM;
    ret->plan.writable = ret->writable;
    ret->plan.bind_ports = ret->ports;
    rest = ret->words;
    while (rest != NULL) {
        const char *word = strsep(&rest, ",");

        if (!add_word(ret, word)) {
            *bad = word;
            return -EINVAL;
        }
    }
    /* Landlock and seccomp need it. */
    ask(ret, SEAL_NO_NEW_PRIVS);
    return 0;
}

void seal_option_done(struct seal_option *option)
{
    free(option->words);
}
