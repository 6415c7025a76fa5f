#include "posture/invariants.h"

#include <string.h>

#include "posture/rows.h"

/* In the order in which they are judged and reported. */
static const struct invariant *const rows[] = {
    &row_config,
    &row_running_as_root,
    &row_capabilities,
    &row_cert_cache,
    &row_plaintext_listener,
    &row_listeners,
    &row_single_instance,
    &row_no_way_back,
    &row_loader_environment,
    &row_traced,
    &row_executable,
    &row_inherited_descriptors,
    &row_runtime_socket,
    &row_descriptor_limit,
    &row_key_files,
    &row_clock,
    &row_entropy,
    &row_personality,
    &row_privileged_container,
    &row_host_namespaces,
    &row_privileged_group,
    &row_root_filesystem,
    &row_memory_limit,
    &row_confinement,
    &row_core_dumps,
};

size_t invariants_count(void)
{
    return ARRAY_LEN(rows);
}

const struct invariant *invariants_at(size_t index)
{
    return index < ARRAY_LEN(rows) ? rows[index] : NULL;
}

size_t posture_invariant_count(void)
{
    return ARRAY_LEN(rows);
}

const struct posture_invariant *posture_invariant_at(size_t index)
{
    return index < ARRAY_LEN(rows) ? &rows[index]->about : NULL;
}

const struct posture_invariant *posture_invariant_find(const char *id)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i]->about.id, id) == 0)
            return &rows[i]->about;
    }
    return NULL;
}
