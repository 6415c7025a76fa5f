/* group_file: privileged groups in /etc/group, see group(5).  Pure. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/*
 * The name under which gid gives more than an ordinary group does (docker,
 * disk, kmem, shadow, adm, lxd, ...), empty if it does not.  Names come from
 * the file; the numbers that Debian and Alpine fix are known without it.
 */
struct span group_file_privileged(struct span file, uint32_t gid);
