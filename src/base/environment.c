#include "base/environment.h"

#include <stdlib.h>
#include <string.h>

void environment_forget(const char *name)
{
    char *value = NULL;

    /* A name may be there twice; unsetenv(3) takes all of them. */
    while ((value = getenv(name)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        explicit_bzero(value, strlen(value));
        (void)unsetenv(name); /* NOLINT(concurrency-mt-unsafe) */
    }
}
