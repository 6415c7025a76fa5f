#include "posture/cmd/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "posture/capability.h"

typedef int set_fn(struct settings *s, const char *value, struct text *why);

/* -EINVAL with a reason, or what the library said. */
static int refuse(struct text *why, const char *reason)
{
    text_add_str(why, reason);
    return -EINVAL;
}

static bool is_yes(const char *value)
{
    return value[0] == '\0' || strcmp(value, "yes") == 0;
}

static int set_production(
    struct settings *s, const char *value, struct text *why)
{
    if (!is_yes(value))
        return refuse(why, "expected yes, or no such key");
    posture_policy_set_mode(s->policy, POSTURE_MODE_PRODUCTION);
    return 0;
}

static int set_mode_variable(
    struct settings *s, const char *value, struct text *why)
{
    (void)why;
    return posture_policy_set_mode_variable(s->policy, value);
}

static int allow_capability(
    struct settings *s, const char *value, struct text *why)
{
    int bit = capability_bit(value);

    if (bit < 0)
        return refuse(why, "no such capability; see capabilities(7)");
    s->capabilities |= UINT64_C(1) << bit;
    posture_policy_set_capabilities(s->policy, s->capabilities);
    return 0;
}

static int allow_no_capability(
    struct settings *s, const char *value, struct text *why)
{
    if (!is_yes(value))
        return refuse(why, "expected yes, or no such key");
    s->capabilities = 0;
    posture_policy_set_capabilities(s->policy, 0);
    return 0;
}

static int expect_listener(
    struct settings *s, const char *value, struct text *why)
{
    int failed =
        posture_policy_expect_listener(s->policy, value, "expect-listener");

    return failed == -EINVAL
               ? refuse(why,
                     "expected IP:PORT, [IP]:PORT or :PORT, behind udp: or "
                     "mptcp: if it is not TCP, or unix:/PATH, unix:@NAME")
               : failed;
}

static int allow_activation(
    struct settings *s, const char *value, struct text *why)
{
    if (!is_yes(value))
        return refuse(why, "expected yes, or no such key");
    posture_policy_allow_activation(s->policy);
    return 0;
}

static int set_cert_cache(
    struct settings *s, const char *value, struct text *why)
{
    if (value[0] != '/')
        return refuse(why, "expected an absolute path");
    return posture_policy_set_cert_cache(s->policy, value);
}

static int add_key_file(struct settings *s, const char *value, struct text *why)
{
    if (value[0] != '/')
        return refuse(why, "expected an absolute path");
    return posture_policy_add_key_file(s->policy, value, "key-file");
}

static int set_single_instance(
    struct settings *s, const char *value, struct text *why)
{
    (void)why;
    return posture_policy_set_single_instance(s->policy, value, NULL);
}

static int set_container(
    struct settings *s, const char *value, struct text *why)
{
    if (!is_yes(value))
        return refuse(why, "expected yes, or no such key");
    posture_policy_set_container(s->policy);
    return 0;
}

static int set_descriptors(
    struct settings *s, const char *value, struct text *why)
{
    uint64_t needed = 0;

    if (!num_parse_u64(span_str(value), UINT32_MAX, &needed) || needed == 0)
        return refuse(why, "expected a number above 0");
    return posture_policy_set_descriptors(s->policy, needed, "as declared");
}

static int set_catalogue(
    struct settings *s, const char *value, struct text *why)
{
    uint64_t number = 0;

    if (!num_parse_u64(span_str(value), POSTURE_CATALOGUE, &number) ||
        number == 0)
        return refuse(why, "this posture does not have that catalogue");
    return posture_policy_set_catalogue(s->policy, (unsigned)number);
}

/* NAME=VALUE in two; the caller frees *name. */
static int split(
    const char *both, char **name, const char **value, struct text *why)
{
    const char *equals = strchr(both, '=');

    if (equals == NULL || equals == both)
        return refuse(why, "expected NAME=VALUE");
    *name = strndup(both, (size_t)(equals - both));
    *value = equals + 1;
    return *name == NULL ? -ENOMEM : 0;
}

static int allow_environment(
    struct settings *s, const char *both, struct text *why)
{
    char *name = NULL;
    const char *value = NULL;
    int failed = split(both, &name, &value, why);

    if (failed == 0)
        failed = posture_policy_allow_environment(s->policy, name, value);
    free(name);
    return failed;
}

/* NAME, or NAME=PATTERN. */
static int add_variable(
    struct settings *s, const char *both, struct text *why, bool secret)
{
    size_t len = strcspn(both, "=");
    char *name = strndup(both, len);
    int failed = -ENOMEM;

    if (name != NULL) {
        failed = posture_policy_add_variable(
            s->policy, &(struct posture_variable){
                           .name = name,
                           .required = true,
                           .secret = secret,
                           .pattern = both[len] == '=' ? both + len + 1 : NULL,
                       });
    }
    free(name);
    return failed == -EINVAL
               ? refuse(why, "expected NAME or NAME=PATTERN, an extended "
                             "regular expression")
               : failed;
}

static int require_variable(
    struct settings *s, const char *both, struct text *why)
{
    return add_variable(s, both, why, false);
}

static int require_secret(
    struct settings *s, const char *both, struct text *why)
{
    return add_variable(s, both, why, true);
}

/* ID:YYYY-MM-DD:REASON */
static int add_waiver(struct settings *s, const char *value, struct text *why)
{
    const char *date = strchr(value, ':');
    const char *reason = date == NULL ? NULL : strchr(date + 1, ':');
    char *id = NULL;
    char day[16] = "";
    int failed = 0;

    if (reason == NULL || (size_t)(reason - date - 1) >= sizeof(day))
        return refuse(why, "expected ID:YYYY-MM-DD:REASON");
    memcpy(day, date + 1, (size_t)(reason - date - 1));
    id = strndup(value, (size_t)(date - value));
    if (id == NULL)
        return -ENOMEM;
    failed = posture_policy_add_waiver(s->policy, id, day, reason + 1);
    free(id);
    if (failed == -EINVAL) {
        return refuse(why, "expected the id of a row that can be waived, a "
                           "date as YYYY-MM-DD and a reason of at least 10 "
                           "characters");
    }
    return failed;
}

static const struct {
    const char *name;
    const char *value;
    set_fn *set;
    bool many; /* may be given several times */
    const char *help;
} table[] = {
    {"production", "", set_production, false, "refuse what is insecure"},
    {"mode-variable", "NAME", set_mode_variable, false,
        "variable that says production (POSTURE_PRODUCTION)"},
    {"allow-capability", "NAME", allow_capability, true,
        "beside those allowed so far (CAP_NET_BIND_SERVICE)"},
    {"allow-no-capability", "", allow_no_capability, false,
        "start from none instead"},
    {"expect-listener", "IP:PORT", expect_listener, true,
        "one that may be held; udp:IP:PORT, unix:PATH too"},
    {"allow-activation", "", allow_activation, false,
        "sockets of sd_listen_fds(3) may be held"},
    {"cert-cache", "DIR", set_cert_cache, false,
        "directory of certificates and keys"},
    {"key-file", "FILE", add_key_file, true, "a file that holds a secret"},
    {"single-instance", "NAME", set_single_instance, false,
        "variable that asserts that one instance runs"},
    {"container", "", set_container, false, "it is meant to run in one"},
    {"descriptors", "N", set_descriptors, false, "open files it needs"},
    {"allow-environment", "NAME=VALUE", allow_environment, true,
        "a loader variable with exactly that value"},
    {"require-variable", "NAME[=ERE]", require_variable, true,
        "a variable that must be set, and its shape"},
    {"require-secret", "NAME[=ERE]", require_secret, true,
        "the same, and its value is never printed"},
    {"catalogue", "N", set_catalogue, false,
        "rows that came after it warn only"},
    {"waive", "ID:DATE:REASON", add_waiver, true,
        "warn only, until that day, at most 90 days away"},
};

_Static_assert(ARRAY_LEN(table) <= 64, "struct settings has a bit for each");

int settings_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

size_t settings_count(void)
{
    return ARRAY_LEN(table);
}

const char *settings_name(size_t index)
{
    return table[index].name;
}

const char *settings_value_name(size_t index)
{
    return table[index].value;
}

const char *settings_help(size_t index)
{
    return table[index].help;
}

void settings_done(struct settings *settings)
{
    for (size_t i = 0; i < settings->said_count; i++)
        free(settings->said[i].value);
    free(settings->said);
}

/* One that takes a single value replaces what was said before. */
static int remember(struct settings *s, size_t index, const char *value)
{
    struct setting *grown = NULL;
    char *copy = strdup(value);

    for (size_t i = 0; i < s->said_count && copy != NULL; i++) {
        if (s->said[i].index != index || table[index].many)
            continue;
        free(s->said[i].value);
        s->said[i].value = copy;
        return 0;
    }
    if (copy != NULL)
        grown = reallocarray(s->said, s->said_count + 1, sizeof(*grown));
    if (grown == NULL) {
        free(copy);
        return -ENOMEM;
    }
    s->said = grown;
    grown[s->said_count++] = (struct setting){.index = index, .value = copy};
    return 0;
}

enum settings_outcome settings_set(struct settings *settings, size_t index,
    const char *value, struct text *why)
{
    uint64_t bit = UINT64_C(1) << index;
    int failed = 0;

    if (!table[index].many && (settings->given & bit) != 0)
        return SETTINGS_TWICE;
    settings->given |= bit;
    failed = table[index].set(settings, value, why);
    if (failed == 0)
        failed = remember(settings, index, value);
    if (failed == -EINVAL && why->len == 0)
        text_add_str(why, "no valid value");
    return failed == 0         ? SETTINGS_OK
           : failed == -EINVAL ? SETTINGS_BAD_VALUE
                               : SETTINGS_NO_MEMORY;
}
