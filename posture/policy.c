#include "posture/policy.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "posture/civil_date.h"

enum {
    POLICY_BYTES_MAX = 1 << 20, /* a policy is small; a leak is not */
    NET_BIND_SERVICE = 10,
    CATALOGUE_IN_FORCE = 1, /* whose rows have warned for a release */
};

struct posture_policy *posture_policy_new(void)
{
    struct posture_policy *policy = calloc(1, sizeof(*policy));

    if (policy == NULL)
        return NULL;
    arena_init(&policy->arena, POLICY_BYTES_MAX);
    policy->mode = POSTURE_MODE_DEVELOPMENT;
    policy->capabilities = UINT64_C(1) << NET_BIND_SERVICE;
    policy->catalogue = CATALOGUE_IN_FORCE;
    return policy;
}

void posture_policy_free(struct posture_policy *policy)
{
    if (policy == NULL)
        return;
    arena_done(&policy->arena);
    free(policy);
}

int posture_policy_set_catalogue(
    struct posture_policy *policy, unsigned catalogue)
{
    if (catalogue == 0 || catalogue > POSTURE_CATALOGUE)
        return -EINVAL;
    policy->catalogue = catalogue;
    return 0;
}

static const char *keep(struct posture_policy *policy, const char *text)
{
    return text == NULL ? NULL : arena_text(&policy->arena, span_str(text));
}

static const char *keep_or_empty(
    struct posture_policy *policy, const char *text)
{
    return text == NULL ? "" : arena_text(&policy->arena, span_str(text));
}

static int outcome(const struct posture_policy *policy)
{
    return policy->arena.failed ? -ENOMEM : 0;
}

void posture_policy_set_mode(
    struct posture_policy *policy, enum posture_mode mode)
{
    policy->mode = mode;
}

int posture_policy_set_mode_variable(
    struct posture_policy *policy, const char *name)
{
    policy->mode_variable = keep(policy, name);
    return outcome(policy);
}

void posture_policy_set_capabilities(
    struct posture_policy *policy, uint64_t allowed)
{
    policy->capabilities = allowed;
}

static bool is_pattern(const char *pattern)
{
    regex_t compiled;

    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    regfree(&compiled);
    return true;
}

int posture_policy_add_variable(
    struct posture_policy *policy, const struct posture_variable *variable)
{
    struct posture_variable *grown = NULL;

    if (variable->pattern != NULL && !is_pattern(variable->pattern))
        return -EINVAL;
    grown = arena_grow(&policy->arena, policy->variables,
        policy->variable_count, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    grown[policy->variable_count] = *variable;
    grown[policy->variable_count].name = keep_or_empty(policy, variable->name);
    grown[policy->variable_count].fix = keep(policy, variable->fix);
    grown[policy->variable_count].pattern = keep(policy, variable->pattern);
    policy->variables = grown;
    policy->variable_count++;
    return outcome(policy);
}

int posture_policy_add_problem(
    struct posture_policy *policy, const struct posture_problem *problem)
{
    struct posture_problem *grown = arena_grow(&policy->arena, policy->problems,
        policy->problem_count, sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    grown[policy->problem_count] = (struct posture_problem){
        .key = keep_or_empty(policy, problem->key),
        .observed = keep_or_empty(policy, problem->observed),
        .expected = keep_or_empty(policy, problem->expected),
        .reason = keep_or_empty(policy, problem->reason),
        .fix = keep_or_empty(policy, problem->fix),
    };
    policy->problems = grown;
    policy->problem_count++;
    return outcome(policy);
}

int posture_policy_set_cert_cache(
    struct posture_policy *policy, const char *path)
{
    policy->cert_cache = keep(policy, path);
    return outcome(policy);
}

int posture_policy_set_plaintext_listener(
    struct posture_policy *policy, const char *option, const char *address)
{
    policy->plaintext_option = keep(policy, option);
    policy->plaintext_address = keep_or_empty(policy, address);
    return outcome(policy);
}

static int add_listener(struct posture_policy *policy,
    struct policy_listeners *to, const char *address, const char *label)
{
    struct policy_listener *grown = NULL;
    struct listener_address at;
    const char *kept = NULL;

    if (address == NULL || !listener_address_parse(address, &at))
        return -EINVAL;
    kept = keep(policy, address);
    /* Once more: a path lies in the text. */
    if (kept == NULL || !listener_address_parse(kept, &at))
        return -ENOMEM;
    grown = arena_grow(&policy->arena, to->list, to->count, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    grown[to->count] = (struct policy_listener){
        .address = kept,
        .label = keep_or_empty(policy, label),
        .at = at,
    };
    to->list = grown;
    to->count++;
    return outcome(policy);
}

int posture_policy_expect_listener(
    struct posture_policy *policy, const char *address, const char *label)
{
    return add_listener(policy, &policy->expected, address, label);
}

int posture_policy_plan_listener(
    struct posture_policy *policy, const char *address, const char *label)
{
    return add_listener(policy, &policy->planned, address, label);
}

void posture_policy_allow_activation(struct posture_policy *policy)
{
    policy->activation = true;
}

int posture_policy_set_single_instance(
    struct posture_policy *policy, const char *variable, const char *lock_path)
{
    policy->single_instance = true;
    policy->single_instance_variable = keep(policy, variable);
    policy->lock_path = keep(policy, lock_path);
    return outcome(policy);
}

void posture_policy_set_shared_backend(struct posture_policy *policy)
{
    policy->shared_backend = true;
}

void posture_policy_declare_seal(struct posture_policy *policy, unsigned seals)
{
    policy->seal |= seals;
}

void posture_policy_set_container(struct posture_policy *policy)
{
    policy->container = true;
}

int posture_policy_set_descriptors(
    struct posture_policy *policy, uint64_t needed, const char *why)
{
    policy->descriptors = needed;
    policy->descriptors_why = keep_or_empty(policy, why);
    return outcome(policy);
}

static int add_value(struct posture_policy *policy, struct policy_value **list,
    size_t *count, const char *name, const char *value)
{
    struct policy_value *grown =
        arena_grow(&policy->arena, *list, *count, sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    grown[*count] = (struct policy_value){
        .name = keep_or_empty(policy, name),
        .value = keep_or_empty(policy, value),
    };
    *list = grown;
    (*count)++;
    return outcome(policy);
}

int posture_policy_add_key_file(
    struct posture_policy *policy, const char *path, const char *label)
{
    return add_value(
        policy, &policy->key_files, &policy->key_file_count, path, label);
}

int posture_policy_set_program(struct posture_policy *policy, const char *path)
{
    policy->program = keep(policy, path);
    return outcome(policy);
}

int posture_policy_allow_environment(
    struct posture_policy *policy, const char *name, const char *value)
{
    return add_value(
        policy, &policy->allowed, &policy->allowed_count, name, value);
}

enum { CORE_ROWS = 7, WAIVER_REASON_MIN = 10 };

int posture_policy_add_waiver(struct posture_policy *policy, const char *id,
    const char *until, const char *reason)
{
    const struct posture_invariant *row = posture_invariant_find(id);
    struct policy_waiver *grown = NULL;
    uint32_t days = 0;

    if (row == NULL || row->error <= (enum posture_error)CORE_ROWS ||
        strlen(reason) < WAIVER_REASON_MIN ||
        !civil_date_parse(span_str(until), &days))
        return -EINVAL;
    grown = arena_grow(
        &policy->arena, policy->waivers, policy->waiver_count, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    grown[policy->waiver_count] = (struct policy_waiver){
        .error = row->error,
        .until = days,
        .date = keep_or_empty(policy, until),
        .reason = keep_or_empty(policy, reason),
    };
    policy->waivers = grown;
    policy->waiver_count++;
    return outcome(policy);
}
