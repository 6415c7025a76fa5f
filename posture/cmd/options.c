#include "posture/cmd/options.h"

#include <stdio.h>
#include <string.h>

#include "posture/cmd/cmd.h"
#include "posture/cmd/policy_file.h"

enum { NET_BIND_SERVICE = 10 };

static int set_format(struct options *o, const char *value)
{
    char name[16] = "";
    size_t len = strcspn(value, "=");
    struct output *output = &o->outputs[o->output_count];

    if (o->output_count == OPTIONS_OUTPUTS_MAX)
        return cmd_usage_error("too many formats", value);
    if (len < sizeof(name))
        memcpy(name, value, len);
    output->print = print_find(name);
    output->path = value[len] == '=' ? value + len + 1 : NULL;
    if (output->print == NULL)
        return cmd_usage_error("unknown format", value);
    if (output->path != NULL && output->path[0] == '\0')
        return cmd_usage_error("a file name is missing", value);
    o->output_count++;
    return 0;
}

static int set_phase(struct options *o, const char *value)
{
    static const char *const names[] = {[POSTURE_PHASE_BOOT] = "boot",
        [POSTURE_PHASE_BOUND] = "bound",
        [POSTURE_PHASE_SEALED] = "sealed"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], value) == 0) {
            o->phase = (enum posture_phase)i;
            return 0;
        }
    }
    return cmd_usage_error("unknown phase", value);
}

static int read_policy(struct options *o, const char *value)
{
    return policy_file_read(value, &o->settings);
}

static int set_seal(struct options *o, const char *value)
{
    o->seal = value;
    return 0;
}

/* Options that are no settings of a policy. */
static const struct {
    const char *name;
    int (*set)(struct options *o, const char *value);
    bool of_check;
    bool of_run;
} own[] = {
    {"format", set_format, true, false},
    {"phase", set_phase, true, false},
    {"policy", read_policy, true, true},
    {"seal", set_seal, false, true},
};

/* The command line has the last word over a policy file. */
static int set_setting(struct options *o, size_t index, const char *value)
{
    char buf[256];
    struct text why = text_over(buf, sizeof(buf));

    o->settings.given &= ~(UINT64_C(1) << index);
    switch (settings_set(&o->settings, index, value, &why)) {
    case SETTINGS_OK:
        return 0;
    case SETTINGS_BAD_VALUE:
        (void)fprintf(stderr, "posture: --%s %s: %s; see posture --help\n",
            settings_name(index), value, why.ptr);
        return EXIT_USAGE;
    case SETTINGS_TWICE:
    case SETTINGS_UNKNOWN:
    case SETTINGS_NO_MEMORY:
        break;
    }
    return EXIT_INTERNAL;
}

struct word {
    char name[32];
    const char *value; /* behind =, or NULL */
};

/* --name or --name=value. */
static bool split_word(const char *argument, struct word *ret)
{
    size_t len = 0;

    if (strncmp(argument, "--", 2) != 0)
        return false;
    argument += 2;
    len = strcspn(argument, "=");
    if (len == 0 || len >= sizeof(ret->name))
        return false;
    memcpy(ret->name, argument, len);
    ret->name[len] = '\0';
    ret->value = argument[len] == '=' ? argument + len + 1 : NULL;
    return true;
}

static bool set_switch(struct options *o, const struct word *word, bool is_run)
{
    bool *target = NULL;

    if (strcmp(word->name, "strict") == 0)
        target = &o->strict;
    if (strcmp(word->name, "print-policy") == 0 && !is_run)
        target = &o->print_policy;
    if (strcmp(word->name, "require-seal") == 0 && is_run)
        target = &o->require_seal;
    if (target == NULL || word->value != NULL)
        return false;
    *target = true;
    return true;
}

static int find_own(const char *name, bool is_run)
{
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (strcmp(own[i].name, name) == 0 &&
            (is_run ? own[i].of_run : own[i].of_check))
            return (int)i;
    }
    return -1;
}

/* The option at argv[*at], and its value behind it if it takes one. */
static int parse_one(
    struct options *o, int argc, char *argv[], int *at, bool is_run)
{
    struct word word = {.value = NULL};
    int setting = -1;
    int mine = -1;

    if (!split_word(argv[*at], &word))
        return cmd_usage_error("unknown option", argv[*at]);
    if (set_switch(o, &word, is_run))
        return 0;
    setting = settings_find(word.name);
    mine = find_own(word.name, is_run);
    if (setting < 0 && mine < 0)
        return cmd_usage_error("unknown option", argv[*at]);
    if (setting >= 0 && settings_value_name((size_t)setting)[0] == '\0') {
        return word.value == NULL
                   ? set_setting(o, (size_t)setting, "")
                   : cmd_usage_error("takes no value", argv[*at]);
    }
    if (word.value == NULL) {
        if (*at + 1 == argc)
            return cmd_usage_error("a value is missing", argv[*at]);
        word.value = argv[++*at];
    }
    return mine >= 0 ? own[mine].set(o, word.value)
                     : set_setting(o, (size_t)setting, word.value);
}

int options_parse(struct options *ret, int argc, char *argv[], bool is_run)
{
    int failed = 0;

    *ret = (struct options){
        .settings = {.policy = posture_policy_new(),
            .capabilities = UINT64_C(1) << NET_BIND_SERVICE},
    };
    ret->rest = argc;
    if (ret->settings.policy == NULL)
        return EXIT_INTERNAL;
    for (int at = 0; at < argc && failed == 0; at++) {
        if (is_run && strcmp(argv[at], "--") == 0) {
            ret->rest = at + 1;
            break;
        }
        if (is_run && argv[at][0] != '-') {
            ret->rest = at;
            break;
        }
        failed = parse_one(ret, argc, argv, &at, is_run);
    }
    return failed;
}

void options_done(struct options *options)
{
    settings_done(&options->settings);
    posture_policy_free(options->settings.policy);
}

static bool names_mode_variable(const struct settings *settings)
{
    int index = settings_find("mode-variable");

    return index >= 0 && (settings->given >> index & 1) != 0;
}

int options_check(const struct options *options, enum posture_phase phase,
    struct posture_report **ret)
{
    struct posture_policy *policy = options->settings.policy;

    if (!names_mode_variable(&options->settings) &&
        posture_policy_set_mode_variable(policy, "POSTURE_PRODUCTION") != 0)
        return EXIT_INTERNAL;
    return posture_check(policy, phase, 0, ret) == 0 ? 0 : EXIT_INTERNAL;
}
