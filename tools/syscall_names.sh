#!/bin/sh
# The system calls of the compiler's target as designated initializers.
# usage: tools/syscall_names.sh COMPILER...
echo '#include <sys/syscall.h>' | "$@" -E -dM - |
    sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9][0-9]*\)$/[\2] = "\1",/p' |
    sort -t '[' -k 2n
