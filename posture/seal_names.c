#include "posture/seal.h"

static const char *const names[] = {
#include "syscall_names.h" /* made by tools/syscall_names.sh */
};

const char *seal_syscall_name(int number)
{
    return number >= 0 && (size_t)number < ARRAY_LEN(names) ? names[number]
                                                            : NULL;
}
