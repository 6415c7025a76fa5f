#include "posture/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "posture/loader_variable.h"

static size_t allowed_file_count(const struct posture_policy *policy)
{
    size_t count = 0;

    for (size_t i = 0; i < policy->allowed_count; i++) {
        count += loader_variable_files(
            policy->allowed[i].name, policy->allowed[i].value);
    }
    return count;
}

int facts_new(const struct posture_policy *policy, struct posture_facts **ret)
{
    struct posture_facts *facts = calloc(1, sizeof(*facts));

    if (facts == NULL)
        return -ENOMEM;
    facts->variables =
        calloc(policy->variable_count + 1, sizeof(*facts->variables));
    facts->key_files =
        calloc(policy->key_file_count + 1, sizeof(*facts->key_files));
    facts->allowed_files =
        calloc(allowed_file_count(policy) + 1, sizeof(*facts->allowed_files));
    if (facts->variables == NULL || facts->key_files == NULL ||
        facts->allowed_files == NULL) {
        facts_free(facts);
        return -ENOMEM;
    }
    *ret = facts;
    return 0;
}

void facts_free(struct posture_facts *facts)
{
    if (facts == NULL)
        return;
    free(facts->groups);
    free(facts->allowed_files);
    free(facts->key_files);
    free(facts->variables);
    free(facts);
}

/* Platforms that can run a second instance by themselves. */
static const char *const scale_out[] = {
    "FLY_APP_NAME",
    "KUBERNETES_SERVICE_HOST",
    "K_SERVICE",
    "ECS_CONTAINER_METADATA_URI_V4",
    "DYNO",
    "CONTAINER_APP_NAME",
};

static const char *get(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): only read */
}

static bool is_set(const char *name)
{
    const char *value = get(name);

    return value != NULL && value[0] != '\0';
}

static enum posture_platform find_platform(void)
{
    if (is_set("KUBERNETES_SERVICE_HOST"))
        return POSTURE_PLATFORM_KUBERNETES;
    if (is_set("FLY_APP_NAME") || is_set("FLY_MACHINE_ID"))
        return POSTURE_PLATFORM_FLY;
    if (access("/run/.containerenv", F_OK) == 0)
        return POSTURE_PLATFORM_PODMAN;
    if (access("/.dockerenv", F_OK) == 0)
        return POSTURE_PLATFORM_DOCKER;
    if (is_set("INVOCATION_ID"))
        return POSTURE_PLATFORM_SYSTEMD;
    return POSTURE_PLATFORM_BARE;
}

/* Without memory, or if the list grows meanwhile, it stays shorter: then a
 * group is taken for one that is not ours. */
static void collect_groups(struct posture_facts *ret)
{
    int count = getgroups(0, NULL);
    size_t room = count < 0 ? 0 : (size_t)count;

    ret->groups = malloc((room + 1) * sizeof(*ret->groups));
    if (ret->groups == NULL)
        return;
    ret->groups[0] = getegid();
    count = room == 0 ? 0 : getgroups((int)room, ret->groups + 1);
    ret->group_count = 1 + (count < 0 ? 0 : (size_t)count);
}

void facts_environment(
    const struct posture_policy *policy, struct posture_facts *ret)
{
    time_t now = time(NULL);

    ret->now = now < 0 ? 0 : (uint64_t)now;
    if (policy->mode_variable != NULL)
        ret->mode_value = get(policy->mode_variable);
    for (size_t i = 0; i < policy->variable_count; i++)
        ret->variables[i] = get(policy->variables[i].name);
    if (policy->single_instance_variable != NULL)
        ret->single_instance = get(policy->single_instance_variable);
    for (size_t i = 0; i < ARRAY_LEN(scale_out); i++) {
        if (ret->scale_out == NULL && is_set(scale_out[i]))
            ret->scale_out = scale_out[i];
    }
    ret->platform = find_platform();
    if (policy->key_file_count > 0)
        collect_groups(ret);
}
